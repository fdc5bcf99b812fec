"""Processes that sleep: as rows, until the clock wakes them or an operator has them go on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestrator.engine.sweep import Sweep
from orchestrator.language.steps import conditional, done, focussteps, init, step
from orchestrator.language.timers import sleep_for, wait_until
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from tests.integration.engine.engine_on_test import EngineOnTest


@step("Afterwards")
def afterwards() -> dict[str, Any]:
    return {"after": True}


def sleeping(*steps: Any) -> Workflow:
    """A workflow of these steps between start and done."""

    def flow() -> Any:
        made = init
        for one in steps:
            made = made >> one
        return made >> done

    return workflow("Sleeps")(flow)


def tick(engine: EngineOnTest) -> list[int]:
    """One look of a clock that has just been started, and what it rings for."""
    sweep = Sweep(engine.url)
    found = [ring.seq for ring in sweep.find(dict)]
    sweep.close()
    return found


def pass_time(engine: EngineOnTest, seq: int) -> None:
    """Let the moment come that a process sleeps until."""
    engine.change(seq, due_at=datetime.now(UTC) - timedelta(milliseconds=1))


def test_a_process_sleeps_without_a_worker_and_goes_on_when_its_time_has_come(engine: EngineOnTest) -> None:
    seq = engine.start(sleeping(sleep_for(timedelta(hours=1)), afterwards))
    engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.waiting_for, process.position, process.claim) == ("waiting", "time", 1, None)
    assert process.due_at is not None
    assert timedelta(minutes=59) < process.due_at - datetime.now(UTC) <= timedelta(hours=1)
    assert (process.failed_reason, process.step_key) == (None, "sleep_for")
    assert engine.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    assert engine.runner().run(seq) is None
    assert tick(engine) == []
    assert engine.process(seq).status == "waiting"

    pass_time(engine, seq)
    assert tick(engine) == [seq]
    engine.run(seq, engine.runner("another"))
    process = engine.process(seq)
    assert (process.status, process.state, process.due_at) == ("completed", {"after": True}, None)
    assert [(row.key, row.status) for row in engine.steps(seq)] == [
        ("start", "success"),
        ("sleep_for", "waiting"),
        ("sleep_for", "success"),
        ("afterwards", "success"),
        ("done", "complete"),
    ]


def test_a_sleep_that_is_the_last_step_holds_the_end_back(engine: EngineOnTest) -> None:
    def flow() -> Any:
        return init >> sleep_for(60)

    seq = engine.start(workflow("Sleeps last")(flow))
    engine.run(seq)
    assert (engine.process(seq).status, engine.process(seq).position) == ("waiting", 1)
    pass_time(engine, seq)
    assert tick(engine) == [seq]
    engine.run(seq)
    assert (engine.process(seq).status, engine.process(seq).position) == ("completed", 2)
    assert [row.status for row in engine.steps(seq)] == ["success", "waiting", "complete"]


def test_a_process_waits_until_a_moment_of_its_state(engine: EngineOnTest) -> None:
    moment = datetime(2100, 1, 1, 22, tzinfo=UTC)
    seq = engine.start(sleeping(wait_until("window"), afterwards), {"window": moment.isoformat()})
    engine.run(seq)
    assert (engine.process(seq).status, engine.process(seq).due_at) == ("waiting", moment)


@pytest.mark.parametrize("timer", [sleep_for(0), wait_until(datetime(2020, 1, 1, tzinfo=UTC))], ids=["zero", "past"])
def test_a_moment_that_has_passed_is_not_waited_for(engine: EngineOnTest, timer: Any) -> None:
    seq = engine.start(sleeping(timer, afterwards))
    engine.run(seq)
    assert [row.status for row in engine.steps(seq)] == ["success", "success", "success", "complete"]


def test_an_operator_lets_a_sleeping_process_go_on_at_once(engine: EngineOnTest) -> None:
    seq = engine.start(sleeping(sleep_for(3600), afterwards, sleep_for(7200)))
    engine.run(seq)
    # What a resume writes.
    engine.change(seq, status="resumed", waiting_for=None, due_at=None)
    engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.step_key, process.state) == ("waiting", "sleep_for_2", {"after": True})


def test_a_process_that_is_run_again_sleeps_again(engine: EngineOnTest) -> None:
    seq = engine.start(sleeping(sleep_for(3600), afterwards))
    engine.run(seq)
    engine.change(seq, status="resumed", waiting_for=None, due_at=None, generation=2)
    engine.run(seq)
    assert engine.process(seq).status == "waiting"


def test_a_timer_works_under_conditions_and_lenses(engine: EngineOnTest) -> None:
    seq = engine.start(
        sleeping(
            conditional(lambda state: state["wanted"] is None)(sleep_for(3600)),
            focussteps("inner")(sleep_for(lambda inner: inner["seconds"])),
        ),
        {"wanted": False, "inner": {"seconds": 600}},
    )
    engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.step_key) == ("waiting", "sleep_for_2")
    assert process.due_at is not None
    assert timedelta(minutes=9) < process.due_at - datetime.now(UTC) <= timedelta(minutes=10)
    assert process.state == {"wanted": False, "inner": {"seconds": 600}}


@pytest.mark.parametrize(
    ("timer", "words"),
    [
        (wait_until("nowhere"), "the state has no 'nowhere'"),
        (sleep_for(lambda state: "long"), "not 'long'"),
        (sleep_for(lambda state: 1 / 0), "division by zero"),
    ],
    ids=["no key", "no number", "raises"],
)
def test_a_timer_that_cannot_be_set_fails_its_step_with_the_reason(
    engine: EngineOnTest, timer: Any, words: str
) -> None:
    seq = engine.start(sleeping(timer))
    engine.run(seq)
    process = engine.process(seq)
    assert process.status == "failed"
    assert words in str(process.failed_reason)
