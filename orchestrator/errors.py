"""One tree of errors. No HTTP here: the API maps classes to status codes in one table.

OrchestratorError
├── SettingsError          the set-up is wrong (settings, data folder, servers)
├── AuthoringError         a workflow, step or model is written wrongly; seen at definition
├── NotFoundError          the thing that was named does not exist
├── ConflictError          the thing is not in a state in which this can be done
├── InvalidInputError      what the caller sent cannot be used
└── UnavailableError       a server we depend on does not answer
"""

from __future__ import annotations

from typing import Any


class OrchestratorError(Exception):
    """Something went wrong in the orchestrator."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip().splitlines()[0])


class SettingsError(OrchestratorError):
    """The settings cannot be used."""


class AuthoringError(OrchestratorError):
    """A workflow, step or model is written in a way that cannot work."""


class NotFoundError(OrchestratorError):
    """That does not exist."""


class ConflictError(OrchestratorError):
    """That cannot be done in the present state."""


class InvalidInputError(OrchestratorError):
    """What was sent cannot be used."""


class UnavailableError(OrchestratorError):
    """A server that the orchestrator depends on does not answer."""


# Embedded servers (`orchestrator up` on one machine)


class DataFolderError(SettingsError):
    """The data folder cannot be used."""


class AlreadyRunningError(SettingsError):
    """An orchestrator is already running on this data folder."""


class EmbeddedPackageMissingError(SettingsError):
    """The wheels with PostgreSQL and Valkey are not installed."""


class EmbeddedServerError(SettingsError):
    """A server of this machine cannot be started."""


class ProcfileError(SettingsError):
    """The Procfile cannot be read."""


class PortTakenError(SettingsError):
    """The port to listen on is taken."""


# Migrations


class MigrationError(OrchestratorError):
    """The database cannot be migrated."""


class ServerTooOldError(SettingsError):
    """The PostgreSQL server is too old."""


class DataRevisionError(MigrationError):
    """A data revision asks for something that cannot be done."""


# Subscriptions and their models


class SubscriptionNotFoundError(NotFoundError):
    """There is no such subscription."""


class ProductNotFoundError(NotFoundError):
    """There is no such product."""


class BlockNotFoundError(NotFoundError):
    """There is no such block."""


class ProductNotRegisteredError(OrchestratorError):
    """No model is registered for this product."""


class WrongProductError(InvalidInputError):
    """The subscription belongs to a product of another model."""


class LifecycleError(ConflictError):
    """The model does not suit the status of the subscription."""


class UnsafeTransitionError(ConflictError):
    """The status cannot change while other subscriptions use this one."""


class ValuesDoNotFitError(InvalidInputError):
    """The values of a subscription do not fit its model."""


class StaleSubscriptionError(ConflictError):
    """The subscription was changed by somebody else after it was loaded."""


class SubscriptionHeldError(ConflictError):
    """The subscription is out of sync: another process holds it."""


class UnusableSubscriptionError(ConflictError):
    """The workflow may not run on the subscription any more: something changed after the process was started."""


class BlockUnavailableError(ConflictError):
    """A block cannot be referred to: its subscription has ended, or is being terminated."""


class BlockCycleError(InvalidInputError):
    """A block refers to itself through other blocks."""


class BlockOwnershipError(InvalidInputError):
    """A block stands in a place where a block of this owner cannot stand."""


class BlockInUseError(ConflictError):
    """A block cannot be removed: another subscription uses it."""


class MissingSubscriptionError(InvalidInputError):
    """The state names no subscription: it has neither `subscription_id` nor `subscription`."""


# Lists, catalog and subscriptions


class InvalidListQueryError(InvalidInputError):
    """The filter, sort, range or cursor of this list cannot be used."""


class ProductInUseError(InvalidInputError):
    """A product with subscriptions that are not terminated cannot be at the end of its life."""


class UnfinishedProcessesError(ConflictError):
    """The subscription has processes that are not finished."""


# The authoring language


class UnresolvedAnnotationError(AuthoringError):
    """An annotation names something that is not there."""


class MissingParameterError(OrchestratorError):
    """A parameter of a step is not in the state."""


class ArgumentError(OrchestratorError):
    """A value of the state does not fit the annotation of a parameter."""


class StepResultError(OrchestratorError):
    """A step returned something that cannot be merged into the state."""


class UnknownWorkflowError(NotFoundError):
    """There is no workflow with this name."""


class UnstorableValueError(OrchestratorError):
    """A value cannot be stored as JSON."""

    def __init__(self, path: str, value: object, reason: str) -> None:
        super().__init__(f"the value at {path!r} (type {type(value).__name__}) cannot be stored: {reason}")
        self.path = path


class ImpossibleTransitionError(ConflictError):
    """The process is in a state in which this cannot happen."""


# Units of work


class NoSessionError(OrchestratorError):
    """There is no database session here: models and db.session can be used in steps, forms and units of work only."""


class NoContextError(OrchestratorError):
    """There is no context here: built-in tasks run where steps run, in workers."""


# Steps that run


class InconsistentDataError(OrchestratorError):
    """Two systems disagree about the same thing."""


class ProcessFailureError(OrchestratorError):
    """A step failed for a reason that its author knows; `details` is shown with it."""

    def __init__(self, message: str | None = None, details: Any = None) -> None:
        super().__init__(message)
        self.details = details


class CommitInStepError(OrchestratorError):
    """A step called commit: its database effects are committed with its record, so it must not."""


class OutsideCommitError(OrchestratorError):
    """A step ended its transaction itself (a raw COMMIT or ROLLBACK): its effects are no longer one with its record."""


class ResultTooLargeError(OrchestratorError):
    """A step returned more than can be stored."""


class LostClaimError(OrchestratorError):
    """The claim is not ours any more (aborted, or taken over): the result is dropped and its effects rolled back."""


class StepTimeLimitError(OrchestratorError):
    """The step did not end within its time limit."""


class ProcessTimeLimitError(OrchestratorError):
    """The process did not end within its time limit."""


class TimerError(OrchestratorError):
    """A step cannot wait, because it does not know for how long."""


class LostAttemptsError(OrchestratorError):
    """The workers that ran this step died again and again."""


class CallbackRouteError(OrchestratorError):
    """A step that has to do with a callback does not find the other one."""


class CallbackTimeLimitError(OrchestratorError):
    """Nobody called back in time."""


class ChildAbortedError(OrchestratorError):
    """A process that this one waited for was aborted."""


class MissingCodeError(OrchestratorError):
    """No worker has the code of this step."""


class StepFailedError(OrchestratorError):
    """A step failed; that is recorded already, this only tells Flower."""


# Processes and their forms


class ProcessNotFoundError(NotFoundError):
    """There is no such process."""


class CallbackNotFoundError(NotFoundError):
    """There is no such callback."""


class ForbiddenError(OrchestratorError):
    """The actor may not do this."""


class PredicateFailedError(OrchestratorError):
    """The workflow may not start now."""


class EnginePausedError(UnavailableError):
    """The engine is paused."""


class NotDeployedError(ConflictError):
    """The code of the workflow that this process runs is not in the catalog here."""


class ScheduleNotFoundError(NotFoundError):
    """There is no such schedule."""


class StaleScheduleError(ConflictError):
    """The schedule was changed by somebody else after it was read."""


class InvalidScheduleError(InvalidInputError):
    """A field of the schedule cannot be used.

    `members` has `errors`: `{"json": {field: [message]}}`.
    """

    def __init__(self, field: str, message: str) -> None:
        super().__init__(f"{field}: {message}")
        self.field = field
        self.members = {"errors": {"json": {field: [message]}}}


class NotATaskError(InvalidInputError):
    """Only tasks can be deleted."""


class MalformedPagesError(InvalidInputError):
    """The pages of a form are a list of objects."""


class UnstorableInputError(InvalidInputError):
    """What was entered cannot be stored."""


class IdempotencyKeyError(InvalidInputError):
    """The idempotency key was used for another request, or is too long."""


class FormOverflowError(InvalidInputError):
    """More pages were sent than the form has."""


class FormInvalidError(InvalidInputError):
    """A page of the form does not fit.

    `members` has `validation_errors`: objects with `type`, `loc`, `msg` and `input`. `page` counts from 1.
    """

    def __init__(self, message: str, validation_errors: list[dict[str, object]], page: int) -> None:
        super().__init__(message)
        self.members = {"validation_errors": validation_errors}
        self.page = page


class FormFailedError(AuthoringError):
    """The code of the form failed."""


class FormIncompleteError(OrchestratorError):
    """The form has another page to fill in.

    `members` has `form`, the JSON schema of that page, and `meta`, which tells in `hasNext` whether more follow.
    """

    def __init__(self, schema: dict[str, object], meta: dict[str, object] | None) -> None:
        super().__init__()
        self.members = {"form": schema, "meta": meta}
