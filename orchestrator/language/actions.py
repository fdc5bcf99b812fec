"""What a step does, what wraps it, and how it is retried."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, assert_never

from orchestrator.errors import AuthoringError
from orchestrator.language.outcomes import Child
from orchestrator.language.vocabulary import State, SubscriptionLifecycle, Target

# Ten years: later moments are of no use, and much later ones are no dates.
_LONGEST_WAIT = 10 * 365 * 86_400.0

Function = Callable[..., Any]
Predicate = Callable[[State], bool]
Duration = float | timedelta | Callable[[State], float | timedelta]
Moment = datetime | str | Callable[[State], datetime | str]


@dataclass(frozen=True)
class Call:
    """Call an author's function and merge what it returns into the state.

    `callback_route_key`: the parameter under which it is handed the route of the callback that the next
    AwaitCallback step waits for.
    """

    function: Function
    callback_route_key: str | None = None


@dataclass(frozen=True)
class Form:
    """Suspend until somebody has filled in the form that this function makes."""

    function: Function


@dataclass(frozen=True)
class AwaitCallback:
    """Wait until an outside system calls back, at most `time_limit` seconds; keep what it sends under `result_key`."""

    result_key: str
    time_limit: float | None = None


@dataclass(frozen=True)
class Children:
    """Start the processes that this function makes of the state, and wait until all of them have ended."""

    children: Callable[[State], Sequence[Child]]


@dataclass(frozen=True)
class Start:
    """Begin the process."""


@dataclass(frozen=True)
class Finish:
    """Complete the process."""


@dataclass(frozen=True)
class Abort:
    """End the process unfinished."""


@dataclass(frozen=True)
class SetStatus:
    """Move the subscription to this status; does nothing when it holds it already."""

    status: SubscriptionLifecycle


@dataclass(frozen=True)
class Unsync:
    """Take the subscription for this process. `checked`: fail when another process has it."""

    checked: bool


@dataclass(frozen=True)
class Resync:
    """Give the subscription back."""


@dataclass(frozen=True)
class StoreProcessSubscription:
    """Record that this process works on the subscription. `target` is accepted for older code and not needed."""

    target: Target | None = None


@dataclass(frozen=True)
class Sleep:
    """Go on after this time."""

    duration: Duration


@dataclass(frozen=True)
class Until:
    """Go on when this moment has come; text is a key of the state."""

    moment: Moment


Action = (
    Call
    | Form
    | AwaitCallback
    | Children
    | Start
    | Finish
    | Abort
    | SetStatus
    | Unsync
    | Resync
    | StoreProcessSubscription
    | Sleep
    | Until
)


def kind_of(action: Action) -> str:
    """The word for what a step does; it is part of a workflow's version."""
    match action:
        case Call():
            return "call"
        case Form():
            return "form"
        case AwaitCallback():
            return "await_callback"
        case Children():
            return "children"
        case Start():
            return "start"
        case Finish():
            return "finish"
        case Abort():
            return "abort"
        case SetStatus():
            return "set_status"
        case Unsync(checked):
            return "unsync" if checked else "unsync_unchecked"
        case Resync():
            return "resync"
        case StoreProcessSubscription():
            return "store_process_subscription"
        case Sleep():
            return "sleep_for"
        case Until():
            return "wait_until"
    assert_never(action)


@dataclass(frozen=True)
class When:
    """Run what is inside only when the predicate says so of the state."""

    predicate: Predicate


@dataclass(frozen=True)
class Lens:
    """Run what is inside on a part of the state: `get(state)`, folded back with `set(state)(part)`.

    `key` is the one key of the state that the lens reads and writes, where that is known.
    """

    get: Callable[[State], State]
    set: Callable[[State], Callable[[State], State]]
    key: str | None = None


Wrapper = When | Lens


@dataclass(frozen=True)
class Retry:
    """How a failed step is run again by itself. Times are in seconds.

    Attributes:
        attempts: how often the step runs in all; None: without limit.
        wait: the pause after the first failure.
        factor: what each further pause is multiplied by.
        max_wait: the longest pause.
        jitter: the part of a pause that is left to chance, 0 to 1.
        on: the exceptions that are retried; others fail the step at once.
    """

    attempts: int | None = 10
    wait: float = 10.0
    factor: float = 2.0
    max_wait: float = 3600.0
    jitter: float = 0.1
    on: type[Exception] | tuple[type[Exception], ...] = Exception

    def __post_init__(self) -> None:
        if self.attempts is not None and (type(self.attempts) is not int or self.attempts < 1):
            raise AuthoringError(f"Retry: attempts must be 1 or more, or None for no limit, not {self.attempts!r}")
        for name, least, most in (("wait", 0.0, _LONGEST_WAIT), ("factor", 1.0, math.inf), ("jitter", 0.0, 1.0)):
            self._check(name, least, most)
        self._check("max_wait", self.wait, _LONGEST_WAIT)
        classes = self.on if isinstance(self.on, tuple) else (self.on,)
        if not classes or not all(isinstance(one, type) and issubclass(one, Exception) for one in classes):
            raise AuthoringError(f"Retry: on must be one or more exception classes, not {self.on!r}")

    def _check(self, name: str, least: float, most: float) -> None:
        value = getattr(self, name)
        if not isinstance(value, int | float) or not math.isfinite(value) or not least <= value <= most:
            limits = f"{least:g} or more" if most == math.inf else f"{least:g} to {most:g}"
            raise AuthoringError(f"Retry: {name} must be a number, {limits}, not {value!r}")

    def again(self, error: BaseException, attempt: int) -> bool:
        """Whether the step runs once more after this error in its `attempt`th run (1 is the first)."""
        return isinstance(error, self.on) and (self.attempts is None or attempt < self.attempts)

    def pause(self, attempt: int, chance: float = 0.0) -> float:
        """Seconds to wait after the `attempt`th run; `chance` (0 to 1) places it within the jitter."""
        try:
            full = min(self.wait * self.factor ** (attempt - 1), self.max_wait)
        except OverflowError:
            full = self.max_wait
        return full * (1 - self.jitter * chance)
