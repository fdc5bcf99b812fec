"""Time limits. The soft one is an alarm that raises in the author's function, and nowhere else. Behind it stands the
hard one: the sweep takes the step away, its next claim records that it failed, and a watchdog ends the process that is
stuck in it."""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.errors import CallbackTimeLimitError, ProcessTimeLimitError, StepTimeLimitError
from orchestrator.language.calling import Prepared
from orchestrator.language.outcomes import Done

_LEAST_MARGIN: Final = 5.0
_MARGIN: Final = 0.1
# The clock looks once a second: it has given the step up before the process that is stuck ends and its bell comes back.
_WATCHDOG_AFTER: Final = 4.0
_STANDARD_ERROR: Final = 2


@dataclass(frozen=True)
class TimeLimit:
    """The seconds that a step has, and whose limit that is: its own, or what is left to its process."""

    seconds: float
    error: StepTimeLimitError | ProcessTimeLimitError

    @property
    def margin(self) -> float:
        """How long after the soft limit the hard one strikes: a tenth, at least five seconds."""
        return max(_LEAST_MARGIN, self.seconds * _MARGIN)

    @property
    def hard_seconds(self) -> float:
        """When the step is given up although it goes on."""
        return self.seconds + self.margin


def limit_of(step_seconds: float | None, process_seconds: float | None, left: float | None) -> TimeLimit | None:
    """The limit that strikes first: of a step, or of a process that has so many seconds `left`."""
    if left is not None and process_seconds is not None and (step_seconds is None or left < step_seconds):
        return TimeLimit(left, process_time_limit_error(process_seconds))
    if step_seconds is not None:
        return TimeLimit(
            step_seconds, StepTimeLimitError(f"the step did not end within its time limit of {_shown(step_seconds)}")
        )
    return None


def process_time_limit_error(seconds: float) -> ProcessTimeLimitError:
    """The error of a process that has not ended in time; it counts anew after every failure."""
    return ProcessTimeLimitError(
        f"the process did not end within its own time limit of {_shown(seconds)}; resumed, it has as long again"
    )


def callback_time_limit_error(seconds: float | None) -> CallbackTimeLimitError:
    """The error of a process that nobody called back in time."""
    return CallbackTimeLimitError(
        f"no callback came within {'its time limit' if seconds is None else f'the time limit of {_shown(seconds)}'}"
    )


def hard_limit_error() -> StepTimeLimitError:
    """The error of a step that went on past its hard limit."""
    return StepTimeLimitError(
        "the step was given up at the hard limit: told to stop at its time limit, it went on; outside it may have done "
        "all of its work, or a part"
    )


def call_within(limit: TimeLimit | None, prepared: Prepared) -> Done:
    """Call the author's function. One that is still running at its limit fails, whatever it makes of the error.

    The alarm needs the main thread, in which the pools that are allowed run their tasks. It is repeated, for functions
    that catch everything. The watchdog needs neither Python nor its lock.

    Raises:
        StepTimeLimitError, ProcessTimeLimitError: the limit struck.
        Exception: what the function raises.
    """
    if limit is None or threading.current_thread() is not threading.main_thread():
        return _call(prepared)
    armed, struck = True, False

    def strike(*_: Any) -> None:
        nonlocal struck
        if armed:
            struck = True
            raise limit.error

    handler = signal.signal(signal.SIGALRM, strike)
    timer = signal.getitimer(signal.ITIMER_REAL)
    try:
        try:
            faulthandler.dump_traceback_later(limit.hard_seconds + _WATCHDOG_AFTER, exit=True, file=_STANDARD_ERROR)
            signal.setitimer(signal.ITIMER_REAL, limit.seconds, limit.margin / 2)
            result = _call(prepared)
        finally:
            armed = False
    except BaseException as raised:
        if struck and raised is not limit.error:
            raise limit.error from raised
        raise
    finally:
        armed = False
        signal.setitimer(signal.ITIMER_REAL, *timer)
        signal.signal(signal.SIGALRM, signal.SIG_DFL if handler is None else handler)
        faulthandler.cancel_dump_traceback_later()
    if struck:
        raise limit.error
    return result


def _call(prepared: Prepared) -> Done:
    process = os.getpid()
    try:
        return prepared.call()
    finally:
        if os.getpid() != process:
            # A child that the function forked has come back from it. The connection is its parent's, and so is the
            # rest of the worker: it must not go on as a second one.
            os._exit(1)


def _shown(seconds: float) -> str:
    return f"{seconds:g} second{'' if seconds == 1 else 's'}"
