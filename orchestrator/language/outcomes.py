"""What a step can end in: frozen values, read by one `match`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestrator.language.vocabulary import ProcessStatus, State


@dataclass(frozen=True)
class StepError:
    """What made a step fail, as it is stored and shown. Its texts are always storable."""

    class_name: str
    message: str
    traceback: str = ""
    details: Any = None

    def __post_init__(self) -> None:
        for name in ("class_name", "message", "traceback"):
            object.__setattr__(self, name, storable_text(getattr(self, name)))

    def as_json(self) -> State:
        """The members `class`, `error`, `traceback` and, when there are any, `details`."""
        shown: State = {"class": self.class_name, "error": self.message, "traceback": self.traceback}
        if self.details is not None:
            shown["details"] = self.details
        return shown


def storable_text(text: str) -> str:
    """The text as PostgreSQL can hold it: NUL characters and lone surrogates are spelled out."""
    return text.replace("\x00", "\\x00").encode(errors="backslashreplace").decode()


@dataclass(frozen=True)
class Done:
    """The step succeeded: what it adds to the state, and the keys that it takes out of it."""

    delta: State = field(default_factory=dict)
    removed: tuple[str, ...] = ()


@dataclass(frozen=True)
class Skipped:
    """A condition said that the step is not to run."""


@dataclass(frozen=True)
class NeedsInput:
    """The step asks a person for input."""


@dataclass(frozen=True)
class AwaitsCallback:
    """The step waits for an outside system to call back, at most `time_limit` seconds."""

    time_limit: float | None = None


@dataclass(frozen=True)
class RetryLater:
    """The step failed and runs again by itself after `wait` seconds."""

    error: StepError
    wait: float


@dataclass(frozen=True)
class WaitUntil:
    """The process sleeps until a moment; then the step is claimed again, finds that it has waited, and is done."""

    moment: datetime


@dataclass(frozen=True)
class Child:
    """A process that another one starts and waits for: `branch` tells it from its brothers and sisters."""

    branch: str
    workflow: str
    state: State = field(default_factory=dict)


@dataclass(frozen=True)
class WaitsForChildren:
    """The process waits until all children of this step have ended; `children` are those that it starts now."""

    children: tuple[Child, ...] = ()


@dataclass(frozen=True)
class Failed:
    """The step failed, and somebody has to act. `status` is the process status that says in which way."""

    error: StepError
    status: ProcessStatus = ProcessStatus.FAILED


@dataclass(frozen=True)
class Aborted:
    """The process ends here, unfinished."""


Outcome = Done | Skipped | NeedsInput | AwaitsCallback | RetryLater | WaitUntil | WaitsForChildren | Failed | Aborted
