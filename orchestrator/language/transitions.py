"""The state machine of a process: pure functions from what it is and what happened to what it is next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from orchestrator.errors import ImpossibleTransitionError
from orchestrator.language.outcomes import (
    Aborted,
    AwaitsCallback,
    Done,
    Failed,
    NeedsInput,
    Outcome,
    RetryLater,
    Skipped,
    WaitsForChildren,
    WaitUntil,
)
from orchestrator.language.vocabulary import ProcessStatus, StepStatus

RUNNABLE: Final = frozenset({ProcessStatus.CREATED, ProcessStatus.RUNNING, ProcessStatus.RESUMED})
FAILED: Final = frozenset({ProcessStatus.FAILED, ProcessStatus.INCONSISTENT_DATA, ProcessStatus.API_UNAVAILABLE})
ENDED: Final = frozenset({ProcessStatus.COMPLETED, ProcessStatus.ABORTED})
RETRYABLE: Final = FAILED | {ProcessStatus.WAITING}
# For a person, an answer or a moment.
WAITING: Final = frozenset({ProcessStatus.SUSPENDED, ProcessStatus.WAITING, ProcessStatus.AWAITING_CALLBACK})
# No step of it runs, and none is about to: it can be set to another place.
MIGRATABLE: Final = RETRYABLE | {ProcessStatus.SUSPENDED}
REWINDABLE: Final = MIGRATABLE | {ProcessStatus.AWAITING_CALLBACK}


@dataclass(frozen=True)
class ProcessValue:
    """What the state machine knows of a process: `position` is the index of the next step of `steps` many."""

    status: ProcessStatus
    position: int
    steps: int
    waiting_for: str | None = None
    due_at: datetime | None = None
    failed_reason: str | None = None
    traceback: str | None = None


@dataclass(frozen=True)
class Transition:
    """The next value of the process, and the status of the step row that tells of it."""

    process: ProcessValue
    step_status: StepStatus


def after_claim(process: ProcessValue) -> ProcessValue:
    """Somebody took the next step.

    Raises:
        ImpossibleTransitionError: the process is not runnable.
    """
    if process.status not in RUNNABLE or process.position >= process.steps:
        raise ImpossibleTransitionError(f"a {process.status} process has no step to run")
    return _fresh(process, ProcessStatus.RUNNING)


def after_outcome(process: ProcessValue, outcome: Outcome, now: datetime) -> Transition:
    """The step that was claimed ended in this outcome at this moment.

    Raises:
        ImpossibleTransitionError: no step of the process was running.
    """
    if process.status is not ProcessStatus.RUNNING:
        raise ImpossibleTransitionError(f"a {process.status} process runs no step")
    match outcome:
        case Done():
            return _advance(process, StepStatus.SUCCESS)
        case Skipped():
            return _advance(process, StepStatus.SKIPPED)
        case NeedsInput():
            return Transition(_fresh(process, ProcessStatus.SUSPENDED), StepStatus.SUSPEND)
        case AwaitsCallback(time_limit=limit):
            awaiting = _fresh(process, ProcessStatus.AWAITING_CALLBACK)
            due_at = None if limit is None else now + timedelta(seconds=limit)
            return Transition(replace(awaiting, due_at=due_at), StepStatus.AWAITING_CALLBACK)
        case RetryLater(error=error, wait=wait):
            waiting = replace(
                _fresh(process, ProcessStatus.WAITING), waiting_for="retry", due_at=now + timedelta(seconds=wait)
            )
            return Transition(
                replace(waiting, failed_reason=error.message, traceback=error.traceback), StepStatus.WAITING
            )
        case WaitUntil(moment=moment):
            waiting = replace(_fresh(process, ProcessStatus.WAITING), waiting_for="time", due_at=moment)
            return Transition(waiting, StepStatus.WAITING)
        case WaitsForChildren():
            waiting = replace(_fresh(process, ProcessStatus.WAITING), waiting_for="children")
            return Transition(waiting, StepStatus.WAITING)
        case Failed(error=error, status=status):
            failed = _fresh(process, ProcessStatus(status))
            return Transition(
                replace(failed, failed_reason=error.message, traceback=error.traceback), StepStatus.FAILED
            )
        case Aborted():
            return Transition(_fresh(process, ProcessStatus.ABORTED), StepStatus.ABORT)
        case _:
            assert_never(outcome)


def after_resume(process: ProcessValue) -> ProcessValue:
    """An operator, or a timer, lets the step that failed or waits run again.

    Raises:
        ImpossibleTransitionError: nothing failed and nothing waits.
    """
    if process.status not in RETRYABLE:
        raise ImpossibleTransitionError(f"a process that is {process.status} cannot be resumed")
    return _fresh(process, ProcessStatus.RESUMED)


def after_input(process: ProcessValue) -> Transition:
    """A person answered the form of the input step that the process stands at.

    Raises:
        ImpossibleTransitionError: the process waits for no input.
    """
    if process.status is not ProcessStatus.SUSPENDED:
        raise ImpossibleTransitionError(f"a process that is {process.status} waits for no input")
    moved = _advance(replace(process, status=ProcessStatus.RUNNING), StepStatus.SUCCESS)
    if moved.process.status is ProcessStatus.COMPLETED:
        return moved
    return replace(moved, process=_fresh(moved.process, ProcessStatus.RESUMED))


def after_skip(process: ProcessValue) -> Transition:
    """An operator goes past the step that failed, or that waits to be tried again.

    Raises:
        ImpossibleTransitionError: no step of it failed or waits to be tried again.
    """
    if process.status not in RETRYABLE:
        raise ImpossibleTransitionError(f"a process that is {process.status} has no failed step to skip")
    if process.waiting_for == "time":
        raise ImpossibleTransitionError("a process that is waiting for a time has no failed step to skip; resume it")
    if process.waiting_for == "children":
        raise ImpossibleTransitionError(
            "a process that is waiting for its children has no failed step to skip; abort those that shall not go on"
        )
    moved = _advance(replace(process, status=ProcessStatus.RUNNING), StepStatus.SKIPPED)
    if moved.process.status is ProcessStatus.COMPLETED:
        return moved
    return replace(moved, process=_fresh(moved.process, ProcessStatus.RESUMED))


def after_rerun(process: ProcessValue, position: int) -> ProcessValue:
    """An operator lets a process run again from the step at this position, which it has reached before.

    Raises:
        ImpossibleTransitionError: it runs, or has ended; or it has not come so far.
    """
    if process.status not in REWINDABLE:
        raise ImpossibleTransitionError(f"a process that is {process.status} cannot be run again from a step")
    if not 0 <= position <= process.position:
        raise ImpossibleTransitionError(f"a process at step {process.position + 1} has not come to {position + 1}")
    return replace(_fresh(process, ProcessStatus.RESUMED), position=position)


def after_migrate(process: ProcessValue, position: int, steps: int) -> ProcessValue:
    """An operator moves a process to another list of `steps` many steps, at this position.

    Raises:
        ImpossibleTransitionError: it runs, waits for an answer or has ended; or there is no such position.
    """
    if process.status not in MIGRATABLE:
        raise ImpossibleTransitionError(f"a process that is {process.status} cannot be moved to another version")
    if not 0 <= position < steps:
        raise ImpossibleTransitionError(f"a list of {steps} steps has no step {position + 1}")
    return ProcessValue(ProcessStatus.RESUMED, position, steps)


def after_children(process: ProcessValue) -> ProcessValue:
    """The last child has ended: the step that waited runs again, and sees what became of them.

    Raises:
        ImpossibleTransitionError: the process waits for no children.
    """
    if process.status is not ProcessStatus.WAITING or process.waiting_for != "children":
        raise ImpossibleTransitionError(f"a process that is {process.status} waits for no children")
    return _fresh(process, ProcessStatus.RESUMED)


def after_callback(process: ProcessValue) -> ProcessValue:
    """The outside system called back: the step that waited for it runs again and takes what came.

    Raises:
        ImpossibleTransitionError: the process awaits no callback.
    """
    if process.status is not ProcessStatus.AWAITING_CALLBACK:
        raise ImpossibleTransitionError(f"a process that is {process.status} awaits no callback")
    return _fresh(process, ProcessStatus.RESUMED)


def after_time_limit(process: ProcessValue, reason: str) -> Transition:
    """Its own time limit struck a process that waits; or nobody called back in time.

    Raises:
        ImpossibleTransitionError: the process waits for nothing.
    """
    if process.status not in WAITING:
        raise ImpossibleTransitionError(f"a process that is {process.status} waits for nothing")
    return Transition(replace(_fresh(process, ProcessStatus.FAILED), failed_reason=reason), StepStatus.FAILED)


def after_abort(process: ProcessValue) -> Transition:
    """An operator ends the process. A step that runs at this moment loses its claim, and its effects with it.

    Raises:
        ImpossibleTransitionError: the process has ended already.
    """
    if process.status in ENDED:
        raise ImpossibleTransitionError(f"a process that is {process.status} cannot be aborted")
    return Transition(_fresh(process, ProcessStatus.ABORTED), StepStatus.ABORT)


def _advance(process: ProcessValue, step_status: StepStatus) -> Transition:
    position = process.position + 1
    if position < process.steps:
        return Transition(replace(_fresh(process, ProcessStatus.RUNNING), position=position), step_status)
    ended = replace(_fresh(process, ProcessStatus.COMPLETED), position=position)
    return Transition(ended, StepStatus.COMPLETE if step_status is StepStatus.SUCCESS else step_status)


def _fresh(process: ProcessValue, status: ProcessStatus) -> ProcessValue:
    """The process in a new status, with what the old one explained about itself gone."""
    return ProcessValue(status=status, position=process.position, steps=process.steps)
