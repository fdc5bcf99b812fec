"""Time limits of steps and processes, on real connections and, where something is killed or frozen, real processes."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.engine import time_limits
from orchestrator.engine.claims import claim_step
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.sweep import Sweep
from orchestrator.errors import ProcessTimeLimitError
from orchestrator.language.actions import Retry
from orchestrator.language.steps import done, init, step
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.storage.session import db
from orchestrator.storage.step_statements import TRY_LOCK, step_lock_key
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.engine.forked import another_process

Ledger = Callable[[], list[str]]

_LOCKS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint >> 16 = 21332"


def limited(
    function: Callable[..., Any],
    step_seconds: float | None = 0.3,
    process_seconds: float | None = None,
    retry: Retry | None = None,
) -> Workflow:
    """A workflow whose only own step is this function."""
    made = step("The step", key="the_step", time_limit=step_seconds, retry=retry)(function)

    def flow() -> Any:
        return init >> made >> done

    return workflow("A workflow", time_limit=process_seconds)(flow)


def look_until(engine: EngineOnTest, what: Callable[[], bool], seconds: float = 15) -> list[int]:
    """Let a clock look until it is so; what it rang for."""
    sweep, rung, deadline = Sweep(engine.url), list[int](), time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        rung += [ring.seq for ring in sweep.find(dict)]
        time.sleep(0.05)
    sweep.close()
    return rung


def test_a_step_fails_at_its_time_limit_and_says_so(engine: EngineOnTest) -> None:
    before = signal.getsignal(signal.SIGALRM)
    seq = engine.start(limited(lambda: time.sleep(20)))
    runner = engine.runner()
    started = time.monotonic()
    engine.run(seq, runner)
    assert time.monotonic() - started < 5
    process = engine.process(seq)
    assert (process.status, process.deadline, process.claim) == ("failed", None, None)
    assert process.failed_reason == (
        "Step 'The step' (the_step): the step did not end within its time limit of 0.3 seconds"
    )
    assert engine.steps(seq)[-1].error["class"] == "StepTimeLimitError"
    assert "time.sleep(20)" in engine.steps(seq)[-1].error["traceback"]
    assert signal.getsignal(signal.SIGALRM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)
    assert engine.query(_LOCKS) == [(0,)]


def test_a_step_within_its_limit_has_a_deadline_while_it_runs(engine: EngineOnTest) -> None:
    deadlines = []

    def quick() -> dict[str, Any]:
        deadlines.append(engine.query("SELECT extract(epoch FROM deadline - claimed_at) FROM processes")[0][0])
        return {"quick": True}

    seq = engine.start(limited(quick, 100.0))
    engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.state, process.deadline) == ("completed", {"quick": True}, None)
    assert [round(float(seconds)) for seconds in deadlines] == [110]
    assert signal.getitimer(signal.ITIMER_REAL) == (0, 0)


def test_a_limit_that_strikes_in_a_statement_fails_the_step_and_takes_its_effects(
    engine: EngineOnTest, ledger: Ledger
) -> None:
    calls: list[int] = []

    def waits_in_the_database() -> None:
        calls.append(1)
        if len(calls) == 2:
            return
        db.session.execute(text("INSERT INTO ledger VALUES ('gone')"))
        db.session.execute(text("SELECT pg_sleep(20)"))

    seq = engine.start(limited(waits_in_the_database))
    runner = engine.runner()
    started = time.monotonic()
    engine.run(seq, runner)
    assert time.monotonic() - started < 5
    process = engine.process(seq)
    assert (process.status, process.claim, ledger(), calls) == ("failed", None, [], [1])
    assert "time limit of 0.3 seconds" in str(process.failed_reason)
    assert engine.query(_LOCKS) == [(0,)]
    # The same worker goes on, and what it left running on the server has been ended.
    engine.change(seq, status="resumed")
    engine.run(seq, runner)
    assert engine.process(seq).status == "completed"
    assert engine.query(
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%%pg_sleep(20)' AND state = 'active'"
    ) == [(0,)]


def swallows() -> dict[str, Any]:
    with suppress(Exception):
        time.sleep(20)
    return {"caught": True}


def raises_another() -> None:
    try:
        time.sleep(20)
    except Exception as error:
        raise ValueError("something else") from error


def uses_the_session_afterwards() -> None:
    with suppress(Exception):
        db.session.execute(text("SELECT pg_sleep(20)"))
    db.session.execute(text("SELECT 1"))


@pytest.mark.parametrize("function", [swallows, raises_another, uses_the_session_afterwards])
def test_a_step_cannot_hide_that_it_took_too_long(engine: EngineOnTest, function: Callable[..., Any]) -> None:
    seq = engine.start(limited(function))
    engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.state) == ("failed", {})
    assert "time limit of 0.3 seconds" in str(process.failed_reason)


@pytest.mark.parametrize("statement", [None, "SELECT pg_sleep(20)"])
def test_a_retry_tries_again_after_a_time_limit(engine: EngineOnTest, statement: str | None) -> None:
    def slow() -> None:
        if statement is None:
            time.sleep(20)
        else:
            db.session.execute(text(statement))

    seq = engine.start(limited(slow, retry=Retry(attempts=2, wait=60.0)))
    engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.waiting_for) == ("waiting", "retry")
    engine.change(seq, status="resumed", due_at=None)
    engine.run(seq)
    assert engine.process(seq).status == "failed"
    assert [row.status for row in engine.steps(seq)] == ["success", "waiting", "failed"]


def test_a_step_that_cannot_be_interrupted_is_given_up_at_the_hard_limit_and_not_run_again(
    engine: EngineOnTest, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(time_limits, "_LEAST_MARGIN", 0.3)
    visits = tmp_path / "visits"

    def deaf() -> None:
        with visits.open("a") as file:
            file.write("visit\n")
        db.session.execute(text("INSERT INTO ledger VALUES ('gone')"))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        time.sleep(60)

    seq = engine.start(limited(deaf))
    engine.runner().run(seq)
    with another_process(lambda: engine.runner("deaf").run(seq)) as worker:
        rung = look_until(engine, lambda: visits.exists() and engine.query(_LOCKS) == [(0,)])
        assert rung in ([], [seq])
        engine.run(seq, engine.runner("heir"))
        process = engine.process(seq)
        assert "the hard limit" in str(process.failed_reason)
        assert str(process.failed_reason).startswith("Step 'The step' (the_step): ")
        assert (process.claim, process.position, process.attempt) == (None, 1, 0)
        # The process that is stuck ends by itself, so that its worker gets a new one.
        worker.join(15)
        assert worker.exitcode == 1
    row = engine.steps(seq)[-1]
    assert (row.key, row.status, row.error["class"]) == ("the_step", "failed", "StepTimeLimitError")
    assert engine.runner("another").run(seq) is None
    assert (visits.read_text(), ledger()) == ("visit\n", [])
    # Resumed, it has its whole limit again.
    engine.change(seq, status="resumed")
    assert engine.query("SELECT deadline FROM processes") == [(None,)]


def test_a_frozen_worker_is_given_up_at_the_hard_limit_and_its_late_result_dropped(
    engine: EngineOnTest, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(time_limits, "_LEAST_MARGIN", 0.5)
    here, go_on = tmp_path / "here", tmp_path / "go_on"

    def frozen() -> dict[str, Any]:
        db.session.execute(text("INSERT INTO ledger VALUES ('gone')"))
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])
        here.touch()
        while not go_on.exists():
            time.sleep(0.01)
        return {"late": True}

    seq = engine.start(limited(frozen))
    engine.runner().run(seq)
    with another_process(lambda: engine.runner("frozen").run(seq)) as worker:
        while not here.exists():
            time.sleep(0.01)
        os.kill(worker.pid, signal.SIGSTOP)
        look_until(engine, lambda: engine.query(_LOCKS) == [(0,)])
        engine.run(seq, engine.runner("heir"))
        assert "the hard limit" in str(engine.process(seq).failed_reason)
        go_on.touch()
        os.kill(worker.pid, signal.SIGCONT)
        worker.join(15)
    assert (engine.process(seq).status, engine.process(seq).state, ledger()) == ("failed", {}, [])
    assert [row.status for row in engine.steps(seq)] == ["success", "failed"]


def test_a_worker_that_died_before_the_hard_limit_is_replaced_however_late(engine: EngineOnTest) -> None:
    seq = engine.start(limited(lambda: {"done": True}, 60.0))
    engine.runner().run(seq)
    doomed = engine.connection("doomed")
    assert claim_step(doomed, seq) is not None
    doomed.discard()
    look_until(engine, lambda: engine.query(_LOCKS) == [(0,)])
    engine.change(seq, deadline=engine.process(seq).started_at - timedelta(hours=1))
    sweep, rung, give_up = Sweep(engine.url), list[int](), time.monotonic() + 10
    while not rung and time.monotonic() < give_up:
        rung = [ring.seq for ring in sweep.find(dict)]
    sweep.close()
    assert rung == [seq]
    engine.run(seq)
    assert engine.process(seq).status == "completed"


def test_a_worker_that_comes_back_over_a_new_connection_past_the_hard_limit_is_left_to_record(
    engine: EngineOnTest,
) -> None:
    seq = engine.start(limited(lambda: {"done": True}, 60.0))
    lost, new = engine.connection("worker"), engine.connection("worker")
    assert claim_step(lost, seq) is not None
    lost.discard()
    look_until(engine, lambda: engine.query(_LOCKS) == [(0,)])
    assert new.row(TRY_LOCK, {"key": step_lock_key(seq)}) == (True,)
    past = engine.process(seq).started_at - timedelta(hours=1)
    engine.change(seq, deadline=past)
    sweep = Sweep(engine.url)
    sweep.find(dict)
    assert sweep.leads
    sweep.close()
    assert engine.query(_LOCKS) == [(1,)]
    assert engine.process(seq).deadline == past


def test_a_frozen_worker_whose_claim_is_gone_does_not_hold_its_process(engine: EngineOnTest, tmp_path: Path) -> None:
    seq = engine.start(limited(lambda: {"done": True}, None))
    here = tmp_path / "here"

    def claim_and_hang() -> None:
        assert claim_step(WorkerConnection(engine.url, "frozen"), seq) is not None
        here.touch()
        time.sleep(60)

    with another_process(claim_and_hang) as worker:
        while not here.exists():
            time.sleep(0.01)
        os.kill(worker.pid, signal.SIGSTOP)
        sweep = Sweep(engine.url)
        sweep.find(dict)
        sweep.find(dict)
        assert engine.query(_LOCKS) == [(1,)]  # a claimed step without a limit may take as long as it takes
        engine.change(seq, claim=None)
        assert engine.runner("heir").run(seq) is None
        sweep.find(dict)
        assert engine.query(_LOCKS) == [(1,)]
        sweep.find(dict)
        sweep.close()
        look_until(engine, lambda: engine.query(_LOCKS) == [(0,)])
        engine.run(seq, engine.runner("heir"))
        assert engine.process(seq).status == "completed"


def test_a_process_fails_at_its_own_time_limit_in_the_middle_of_a_step(engine: EngineOnTest) -> None:
    seq = engine.start(limited(lambda: time.sleep(20), 10.0, 0.5, Retry(attempts=5)))
    engine.run(seq)
    process = engine.process(seq)
    assert process.status == "failed"
    assert "the process did not end within its own time limit of 0.5 seconds" in str(process.failed_reason)
    assert engine.steps(seq)[-1].error["class"] == ProcessTimeLimitError.__name__


def test_a_process_past_its_time_limit_takes_no_step_and_has_as_long_again_when_it_is_resumed(
    engine: EngineOnTest,
) -> None:
    seq = engine.start(limited(lambda: {"done": True}, None, 600.0))
    runner = engine.runner()
    runner.run(seq)
    engine.change(seq, limit_since=engine.process(seq).started_at - timedelta(seconds=601))
    engine.run(seq, runner)
    process = engine.process(seq)
    assert (process.status, process.state) == ("failed", {})
    assert "the process did not end within its own time limit of 600 seconds" in str(process.failed_reason)
    engine.change(seq, status="resumed")
    engine.run(seq, runner)
    assert engine.process(seq).status == "completed"
