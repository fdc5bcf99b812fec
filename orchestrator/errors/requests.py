"""What is asked of processes, schedules and lists."""

from __future__ import annotations

from orchestrator.errors.tree import (
    ConflictError,
    InvalidInputError,
    NotFoundError,
    OrchestratorError,
    UnavailableError,
)


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


class IdempotencyKeyError(InvalidInputError):
    """The idempotency key was used for another request, or is too long."""


class InvalidListQueryError(InvalidInputError):
    """The filter, sort, range or cursor of this list cannot be used."""
