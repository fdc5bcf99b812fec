"""The authoring language: workflows, their values, and units of work."""

from __future__ import annotations

from orchestrator.errors.tree import AuthoringError, ConflictError, NotFoundError, OrchestratorError


class UnresolvedAnnotationError(AuthoringError):
    """An annotation names something that is not there."""


class CodeFailedError(AuthoringError):
    """The code of a workflow failed.

    The message is for clients. `in_full` has what the code's exception says of itself, too, which may be nobody else's
    business: it is for the log, and for who may read the database anyway.
    """

    def __init__(self, message: str, in_full: str | None = None) -> None:
        super().__init__(message)
        self.in_full = in_full or message


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


class NoSessionError(OrchestratorError):
    """There is no database session here: models and db.session can be used in steps, forms and units of work only."""


class NoContextError(OrchestratorError):
    """There is no context here: built-in tasks run where steps run, in workers."""
