"""Steps that run."""

from __future__ import annotations

from typing import Any

from orchestrator.errors.tree import OrchestratorError


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
