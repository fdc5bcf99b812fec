"""The state machine of a process, exhaustively: every status with everything that can happen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest

from orchestrator.errors import ImpossibleTransitionError
from orchestrator.language.outcomes import (
    Aborted,
    AwaitsCallback,
    Child,
    Done,
    Failed,
    NeedsInput,
    Outcome,
    RetryLater,
    Skipped,
    StepError,
    WaitsForChildren,
    WaitUntil,
)
from orchestrator.language.transitions import (
    ENDED,
    MIGRATABLE,
    RETRYABLE,
    REWINDABLE,
    RUNNABLE,
    WAITING,
    ProcessValue,
    Transition,
    after_abort,
    after_callback,
    after_children,
    after_claim,
    after_input,
    after_migrate,
    after_outcome,
    after_rerun,
    after_resume,
    after_skip,
    after_time_limit,
)
from orchestrator.language.vocabulary import ProcessStatus, StepStatus

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
ERROR = StepError("ValueError", "no", "trace")

OUTCOMES: dict[type[Outcome], Outcome] = {
    Done: Done({"a": 1}),
    Skipped: Skipped(),
    NeedsInput: NeedsInput(),
    AwaitsCallback: AwaitsCallback(),
    RetryLater: RetryLater(ERROR, 60.0),
    WaitUntil: WaitUntil(LATER),
    WaitsForChildren: WaitsForChildren((Child("left", "branch"),)),
    Failed: Failed(ERROR),
    Aborted: Aborted(),
}

# outcome -> (process status, positions moved, step status) in the middle of a list, and at its last step
EXPECTED: dict[type[Outcome], tuple[ProcessStatus, int, StepStatus]] = {
    Done: (ProcessStatus.RUNNING, 1, StepStatus.SUCCESS),
    Skipped: (ProcessStatus.RUNNING, 1, StepStatus.SKIPPED),
    NeedsInput: (ProcessStatus.SUSPENDED, 0, StepStatus.SUSPEND),
    AwaitsCallback: (ProcessStatus.AWAITING_CALLBACK, 0, StepStatus.AWAITING_CALLBACK),
    RetryLater: (ProcessStatus.WAITING, 0, StepStatus.WAITING),
    WaitUntil: (ProcessStatus.WAITING, 0, StepStatus.WAITING),
    WaitsForChildren: (ProcessStatus.WAITING, 0, StepStatus.WAITING),
    Failed: (ProcessStatus.FAILED, 0, StepStatus.FAILED),
    Aborted: (ProcessStatus.ABORTED, 0, StepStatus.ABORT),
}


def a_process(status: ProcessStatus, position: int = 1, steps: int = 3) -> ProcessValue:
    return ProcessValue(status, position, steps, "retry", LATER, "because", "trace")


def test_every_kind_of_outcome_is_covered() -> None:
    assert set(get_args(Outcome)) == set(OUTCOMES) == set(EXPECTED)


@pytest.mark.parametrize("kind", OUTCOMES, ids=lambda kind: kind.__name__)
def test_a_running_step_ends_in_an_outcome(kind: type[Outcome]) -> None:
    moved = after_outcome(a_process(ProcessStatus.RUNNING), OUTCOMES[kind], NOW)
    status, steps_forward, step_status = EXPECTED[kind]
    assert (moved.process.status, moved.process.position, moved.step_status) == (status, 1 + steps_forward, step_status)
    assert moved.process.steps == 3


@pytest.mark.parametrize(
    ("outcome", "step_status"), [(Done(), StepStatus.COMPLETE), (Skipped(), StepStatus.SKIPPED)], ids=repr
)
def test_the_last_step_completes_the_process(outcome: Outcome, step_status: StepStatus) -> None:
    moved = after_outcome(a_process(ProcessStatus.RUNNING, position=2), outcome, NOW)
    assert moved == Transition(ProcessValue(ProcessStatus.COMPLETED, 3, 3), step_status)


@pytest.mark.parametrize("status", sorted(set(ProcessStatus) - {ProcessStatus.RUNNING}))
@pytest.mark.parametrize("kind", OUTCOMES, ids=lambda kind: kind.__name__)
def test_nothing_but_a_running_process_takes_an_outcome(status: ProcessStatus, kind: type[Outcome]) -> None:
    with pytest.raises(ImpossibleTransitionError, match=str(status)):
        after_outcome(a_process(status), OUTCOMES[kind], NOW)


def test_a_failure_keeps_its_reason_and_a_success_forgets_the_old_one() -> None:
    failed = after_outcome(a_process(ProcessStatus.RUNNING), Failed(ERROR, ProcessStatus.API_UNAVAILABLE), NOW).process
    assert failed == ProcessValue(ProcessStatus.API_UNAVAILABLE, 1, 3, None, None, "no", "trace")
    done = after_outcome(a_process(ProcessStatus.RUNNING), Done(), NOW).process
    assert done == ProcessValue(ProcessStatus.RUNNING, 2, 3)


def test_waits_have_a_moment_and_a_word_for_what_they_wait_for() -> None:
    retry = after_outcome(a_process(ProcessStatus.RUNNING), RetryLater(ERROR, 60.0), NOW).process
    assert (retry.waiting_for, retry.due_at, retry.failed_reason) == ("retry", NOW + timedelta(seconds=60), "no")
    sleep = after_outcome(a_process(ProcessStatus.RUNNING), WaitUntil(LATER), NOW).process
    assert (sleep.waiting_for, sleep.due_at, sleep.failed_reason) == ("time", LATER, None)
    children = after_outcome(a_process(ProcessStatus.RUNNING), WaitsForChildren(), NOW).process
    assert (children.waiting_for, children.due_at, children.failed_reason) == ("children", None, None)
    callback = after_outcome(a_process(ProcessStatus.RUNNING), AwaitsCallback(60.0), NOW).process
    assert (callback.waiting_for, callback.due_at) == (None, NOW + timedelta(seconds=60))
    endless = after_outcome(a_process(ProcessStatus.RUNNING), AwaitsCallback(), NOW).process
    assert endless.due_at is None


def test_a_callback_lets_the_step_that_waited_run_again_and_its_time_limit_fails_it() -> None:
    assert after_callback(a_process(ProcessStatus.AWAITING_CALLBACK)) == ProcessValue(ProcessStatus.RESUMED, 1, 3)
    late = after_time_limit(a_process(ProcessStatus.AWAITING_CALLBACK), "too late")
    failed = ProcessValue(ProcessStatus.FAILED, 1, 3, failed_reason="too late")
    assert late == Transition(failed, StepStatus.FAILED)


def test_the_last_step_waits_too() -> None:
    moved = after_outcome(a_process(ProcessStatus.RUNNING, position=2), WaitUntil(LATER), NOW)
    assert moved == Transition(ProcessValue(ProcessStatus.WAITING, 2, 3, "time", LATER), StepStatus.WAITING)


ACTS: dict[str, tuple[Callable[[ProcessValue], ProcessValue], frozenset[ProcessStatus], ProcessStatus]] = {
    "claim": (after_claim, RUNNABLE, ProcessStatus.RUNNING),
    "resume": (after_resume, RETRYABLE, ProcessStatus.RESUMED),
    "input": (
        lambda process: after_input(process).process,
        frozenset({ProcessStatus.SUSPENDED}),
        ProcessStatus.RESUMED,
    ),
    "skip": (lambda process: after_skip(process).process, RETRYABLE, ProcessStatus.RESUMED),
    "rerun": (lambda process: after_rerun(process, 0), REWINDABLE, ProcessStatus.RESUMED),
    "migrate": (lambda process: after_migrate(process, 0, 5), MIGRATABLE, ProcessStatus.RESUMED),
    "callback": (after_callback, frozenset({ProcessStatus.AWAITING_CALLBACK}), ProcessStatus.RESUMED),
    "end of the last child": (
        lambda process: after_children(replace(process, waiting_for="children")),
        frozenset({ProcessStatus.WAITING}),
        ProcessStatus.RESUMED,
    ),
    "time limit": (
        lambda process: after_time_limit(process, "too late").process,
        WAITING,
        ProcessStatus.FAILED,
    ),
    "abort": (
        lambda process: after_abort(process).process,
        frozenset(ProcessStatus) - ENDED,
        ProcessStatus.ABORTED,
    ),
}


@pytest.mark.parametrize("status", ProcessStatus)
@pytest.mark.parametrize("name", ACTS)
def test_an_act_works_in_the_statuses_that_allow_it_and_in_no_other(name: str, status: ProcessStatus) -> None:
    act, allowed, result = ACTS[name]
    if status in allowed:
        assert act(a_process(status)).status is result
    else:
        with pytest.raises(ImpossibleTransitionError, match=str(status)):
            act(a_process(status))


def test_input_moves_past_the_input_step_and_a_retry_does_not() -> None:
    assert after_input(a_process(ProcessStatus.SUSPENDED)).process.position == 2
    assert after_resume(a_process(ProcessStatus.FAILED)).position == 1


def test_input_at_the_last_step_completes_the_process() -> None:
    moved = after_input(a_process(ProcessStatus.SUSPENDED, position=2))
    assert moved.process.status is ProcessStatus.COMPLETED


def test_a_process_at_its_end_has_no_step_to_claim() -> None:
    with pytest.raises(ImpossibleTransitionError):
        after_claim(a_process(ProcessStatus.RUNNING, position=3))


def test_a_skip_moves_past_the_step_and_forgets_its_failure() -> None:
    moved = after_skip(a_process(ProcessStatus.FAILED))
    assert moved == Transition(ProcessValue(ProcessStatus.RESUMED, 2, 3), StepStatus.SKIPPED)


def test_a_skip_of_the_last_step_completes_the_process() -> None:
    moved = after_skip(a_process(ProcessStatus.FAILED, position=2))
    assert moved == Transition(ProcessValue(ProcessStatus.COMPLETED, 3, 3), StepStatus.SKIPPED)


@pytest.mark.parametrize("what", ["time", "children"])
def test_a_step_that_waits_without_a_failure_is_not_skipped(what: str) -> None:
    with pytest.raises(ImpossibleTransitionError, match=what):
        after_skip(replace(a_process(ProcessStatus.WAITING), waiting_for=what))


def test_a_process_that_waits_for_something_else_does_not_go_on_when_a_child_ends() -> None:
    with pytest.raises(ImpossibleTransitionError, match="no children"):
        after_children(replace(a_process(ProcessStatus.WAITING), waiting_for="time"))


@pytest.mark.parametrize("position", [0, 1])
def test_a_rerun_goes_back_to_any_step_that_was_come_to(position: int) -> None:
    assert after_rerun(a_process(ProcessStatus.FAILED), position) == ProcessValue(ProcessStatus.RESUMED, position, 3)


@pytest.mark.parametrize("position", [-1, 2, 3])
def test_a_rerun_goes_nowhere_else(position: int) -> None:
    with pytest.raises(ImpossibleTransitionError, match="has not come to"):
        after_rerun(a_process(ProcessStatus.FAILED), position)


def test_a_migration_takes_the_length_and_a_place_of_the_new_list() -> None:
    assert after_migrate(a_process(ProcessStatus.FAILED), 4, 5) == ProcessValue(ProcessStatus.RESUMED, 4, 5)
    for position in (-1, 5):
        with pytest.raises(ImpossibleTransitionError, match="has no step"):
            after_migrate(a_process(ProcessStatus.FAILED), position, 5)
