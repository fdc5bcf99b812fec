"""A worker that is killed with SIGKILL at every point of a step: whoever comes next finishes it, its effects once."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable

import pytest

from orchestrator.engine.sweep import Sweep
from tests.integration.engine.doomed_worker import (
    HANGS,
    POINTS,
    POINTS_ALONE,
    returns_once,
    start_doomed_worker,
    writes_once,
)
from tests.integration.engine.engine_on_test import LARGE, EngineOnTest
from tests.integration.told_states import TOLD, told_state

Ledger = Callable[[], list[str]]


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_leaves_a_step_that_is_finished_once(
    engine: EngineOnTest, ledger: Ledger, point: str
) -> None:
    seq = engine.start(writes_once)
    engine.runner().run(seq)
    with start_doomed_worker(engine.url, seq, point) as killed:
        assert killed.wait(30) == -signal.SIGKILL
    assert ledger() == (["effect"] if point == "after its commit" else [])

    _let_the_sweep_finish(engine, seq)
    process = engine.process(seq)
    assert (process.status, process.state, process.failed_reason) == ("completed", {"written": True}, None)
    assert ledger() == ["effect"]
    assert [row.key for row in engine.steps(seq)] == ["start", "writes", "done"]


@pytest.mark.parametrize("point", POINTS_ALONE)
def test_a_worker_killed_around_a_record_that_is_one_statement_leaves_a_step_that_is_finished_once(
    engine: EngineOnTest, point: str
) -> None:
    seq = engine.start(returns_once)
    engine.runner().run(seq)
    with start_doomed_worker(engine.url, seq, point) as killed:
        assert killed.wait(30) == -signal.SIGKILL
    assert engine.process(seq).state == ({"returned": True} if point == "after its record" else {})
    _let_the_sweep_finish(engine, seq)
    assert (engine.process(seq).status, engine.process(seq).state) == ("completed", {"returned": True})
    attempts = 1 if point == "after its record" else 2
    assert [(row.key, row.attempt) for row in engine.steps(seq)] == [("start", 1), ("returns", attempts), ("done", 1)]


@pytest.mark.parametrize("point", ["before its record", "after its record"])
def test_a_worker_killed_around_the_record_of_the_last_step_has_dropped_a_large_state_with_it_or_not_at_all(
    engine: EngineOnTest, point: str
) -> None:
    seq = engine.start(returns_once, {"large": LARGE})
    runner = engine.runner()
    for _ in range(2):
        runner.run(seq)
    with start_doomed_worker(engine.url, seq, point) as killed:
        assert killed.wait(30) == -signal.SIGKILL
    process, whole = engine.process(seq), {"large": LARGE, "returned": True}
    assert (process.status, process.state) == {
        "before its record": ("running", {"large": LARGE}),
        "after its record": ("completed", None),
    }[point]
    assert {**(process.state or whole), **process.recent} == whole

    _let_the_sweep_finish(engine, seq)
    assert (engine.process(seq).status, engine.process(seq).state) == ("completed", None)
    (told,) = engine.query(f"SELECT {TOLD} FROM processes p")
    assert told_state(*told) == whole


def test_nobody_runs_a_claimed_step_until_its_worker_is_dead(engine: EngineOnTest, ledger: Ledger) -> None:
    seq = engine.start(writes_once)
    engine.runner().run(seq)
    with start_doomed_worker(engine.url, seq, HANGS) as doomed:
        assert doomed.stdout is not None
        assert doomed.stdout.readline() == "claimed\n"
        assert engine.runner("early").run(seq) is None
        doomed.kill()
    report, deadline = None, time.monotonic() + 20
    while report is None and time.monotonic() < deadline:
        report = engine.runner("heir").run(seq)
    assert report is not None
    assert engine.steps(seq)[-1].attempt == 2
    assert (engine.process(seq).state, ledger()) == ({"written": True}, ["effect"])


def _let_the_sweep_finish(engine: EngineOnTest, seq: int) -> None:
    # The bell of the dead worker is lost with it: only the sweep is left to ring.
    engine.query("UPDATE processes SET rung_at = rung_at - interval '1 hour'")
    sweep, runner, deadline = Sweep(engine.url), engine.runner("heir"), time.monotonic() + 20
    while engine.process(seq).status != "completed" and time.monotonic() < deadline:
        for ring in sweep.find(dict):
            engine.run(ring.seq, runner)
    sweep.close()
