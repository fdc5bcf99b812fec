"""The step protocol under copies of bells, aborts, lost connections and dead workers."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text

from orchestrator.engine.claims import claim_step
from orchestrator.engine.connection import check_session_locks
from orchestrator.engine.sweep import Sweep
from orchestrator.language.steps import done, init, step
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.storage.session import db
from orchestrator.storage.step_statements import CLAIM, step_lock_key
from tests.integration.engine.engine_on_test import EngineOnTest

Ledger = Callable[[], list[str]]


def three_entries() -> Workflow:
    """A workflow of three steps, each of which writes one row into the ledger."""

    def entry(name: str) -> Any:
        def write() -> None:
            db.session.execute(text("INSERT INTO ledger VALUES (:entry)"), {"entry": name})

        return step(name, key=name)(write)

    def flow() -> Any:
        return init >> entry("one") >> entry("two") >> entry("three") >> done

    return workflow("Three entries")(flow)


def single(function: Callable[..., Any]) -> Workflow:
    """A workflow whose only own step is this function."""
    made = step("The step", key="the_step")(function)

    def flow() -> Any:
        return init >> made >> done

    return workflow("A workflow")(flow)


def test_copies_of_bells_run_each_step_once(engine: EngineOnTest, ledger: Ledger) -> None:
    flow = three_entries()
    seqs = [engine.start(flow) for _ in range(5)]
    runners = [engine.runner(f"w{number}") for number in range(4)]

    def hammer(number: int) -> None:
        for _ in range(40):
            for seq in seqs:
                runners[number].run(seq)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(hammer, range(4)))
    assert [engine.process(seq).status for seq in seqs] == ["completed"] * 5
    assert sorted(ledger()) == sorted(["one", "two", "three"] * 5)
    assert all(len(engine.steps(seq)) == 5 for seq in seqs)


def test_a_bell_for_a_step_that_runs_elsewhere_does_nothing(engine: EngineOnTest) -> None:
    seq = engine.start(three_entries())
    holder, other = engine.connection("holder"), engine.connection("other")
    assert claim_step(holder, seq) is not None
    assert claim_step(other, seq) is None
    holder.discard()
    # The server notices a moment later that its client has gone.
    taken, deadline = None, time.monotonic() + 10
    while taken is None and time.monotonic() < deadline:
        taken = claim_step(other, seq)
    assert taken is not None


@pytest.mark.parametrize("column", ["paused", "engine"])
def test_nothing_is_claimed_while_paused(engine: EngineOnTest, column: str) -> None:
    seq = engine.start(three_entries())
    if column == "paused":
        engine.change(seq, paused=True)
    else:
        engine.query("UPDATE engine_settings SET paused = true")
    assert engine.runner().run(seq) is None
    assert engine.steps(seq) == []
    assert engine.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def test_while_the_engine_is_paused_not_even_a_lock_is_taken(engine: EngineOnTest) -> None:
    """Whoever unpauses rings for what nobody runs: a lock that is held for an instant would keep a bell away."""
    seq = engine.start(three_entries())
    engine.query("UPDATE engine_settings SET paused = true")
    connection = engine.connection()
    values = {"seq": seq, "key": step_lock_key(seq), "claim": uuid4(), "worker": "test"}
    assert connection.row(CLAIM, values) is None
    engine.query("UPDATE engine_settings SET paused = false")
    row = connection.row(CLAIM, values)
    assert row is not None
    assert row[0]


def advisory_locks(engine: EngineOnTest) -> int:
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ((count,),) = engine.query(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {here}")
    return int(count)


def test_a_pause_that_comes_while_a_step_is_being_claimed_is_seen_under_the_lock(engine: EngineOnTest) -> None:
    seq = engine.start(single(lambda: {"done": True}))
    ((name,),) = engine.query("SELECT current_database()")
    engine.query("CREATE SCHEMA turning")
    engine.query("CREATE SEQUENCE turning.looks")
    engine.query(
        "CREATE FUNCTION turning.engine_open() RETURNS boolean VOLATILE LANGUAGE sql "
        "AS $$ SELECT nextval('turning.looks') = 1 $$"
    )
    engine.query(f"ALTER DATABASE {name} SET search_path = turning, public")
    assert claim_step(engine.connection(), seq) is None
    ((looks,),) = engine.query("SELECT last_value FROM turning.looks")
    assert looks == 3, "before the lock, under it, and before another try"
    assert engine.process(seq).claim is None
    assert advisory_locks(engine) == 0


def test_a_result_that_comes_after_an_abort_is_dropped_with_its_effects(engine: EngineOnTest, ledger: Ledger) -> None:
    running, aborted = threading.Event(), threading.Event()

    def slow() -> dict[str, Any]:
        db.session.execute(text("INSERT INTO ledger VALUES ('late')"))
        running.set()
        assert aborted.wait(10)
        return {"late": True}

    seq = engine.start(single(slow))
    runner = engine.runner()
    runner.run(seq)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(runner.run, seq)
        assert running.wait(10)
        engine.change(seq, status="aborted", claim=None)
        aborted.set()
        assert late.result() is None
    assert (engine.process(seq).status, engine.process(seq).state, ledger()) == ("aborted", {}, [])
    assert [row.key for row in engine.steps(seq)] == ["start"]
    assert advisory_locks(engine) == 0, "the worker keeps nothing of it"


def test_a_late_result_of_an_earlier_claim_is_dropped_even_if_the_step_was_resumed(engine: EngineOnTest) -> None:
    running, go_on = threading.Event(), threading.Event()
    calls: list[int] = []

    def slow() -> dict[str, Any]:
        calls.append(1)
        if len(calls) == 1:
            running.set()
            assert go_on.wait(10)
            return {"by": "the first"}
        return {"by": "the second"}

    seq = engine.start(single(slow))
    first, second = engine.runner("first"), engine.runner("second")
    first.run(seq)
    with ThreadPoolExecutor(1) as pool:
        late = pool.submit(first.run, seq)
        assert running.wait(10)
        # The server ends the first worker's connection: its lock is free, its function still runs.
        engine.query("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        engine.run(seq, second)
        go_on.set()
        assert late.result() is None
    assert engine.process(seq).state == {"by": "the second"}
    assert [row.key for row in engine.steps(seq)] == ["start", "the_step", "done"]


def end_own_connection(engine: EngineOnTest) -> None:
    engine.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %(name)s", name="%worker%"
    )
    time.sleep(0.1)


def test_a_result_in_hand_is_recorded_over_a_new_connection(engine: EngineOnTest) -> None:
    calls: list[int] = []

    def loses_its_connection() -> dict[str, Any]:
        calls.append(1)
        end_own_connection(engine)
        return {"in": "hand"}

    seq = engine.start(single(loses_its_connection))
    engine.run(seq)
    assert (engine.process(seq).status, engine.process(seq).state, calls) == ("completed", {"in": "hand"}, [1])


def test_a_step_whose_effects_went_with_its_connection_runs_again(engine: EngineOnTest, ledger: Ledger) -> None:
    calls: list[int] = []

    def writes_and_loses_its_connection() -> dict[str, Any]:
        calls.append(1)
        db.session.execute(text("INSERT INTO ledger VALUES ('once')"))
        if len(calls) == 1:
            end_own_connection(engine)
        return {"calls": len(calls)}

    seq = engine.start(single(writes_and_loses_its_connection))
    runner = engine.runner()
    engine.run(seq, runner)
    waiting = engine.process(seq)
    assert (waiting.status, waiting.state) == ("running", {})
    assert waiting.claim is not None

    sweep, rung, deadline = Sweep(engine.url), [], time.monotonic() + 10
    while not rung and time.monotonic() < deadline:
        rung = [ring.seq for ring in sweep.find(dict)]
    sweep.close()
    assert rung == [seq]
    engine.run(seq, runner)
    assert (engine.process(seq).state, ledger(), len(calls)) == ({"calls": 2}, ["once"], 2)


@pytest.mark.parametrize("writes", [True, False], ids=["with the session", "without"])
def test_a_commit_that_nobody_answered_is_found_and_not_repeated(
    engine: EngineOnTest, monkeypatch: pytest.MonkeyPatch, writes: bool
) -> None:
    calls: list[int] = []

    def count() -> dict[str, Any]:
        calls.append(1)
        if writes:
            db.session.execute(text("SELECT 1"))
        return {"calls": len(calls)}

    seq = engine.start(single(count))
    connection = engine.connection()
    runner = engine.runner()
    runner._connection = connection
    runner.run(seq)
    ending = "commit" if writes else "row_alone"
    end = getattr(connection, ending)

    def end_and_break(*arguments: Any) -> None:
        monkeypatch.setattr(connection, ending, end)
        end(*arguments)
        end_own_connection(engine)
        connection.row("SELECT 1")

    monkeypatch.setattr(connection, ending, end_and_break)
    report = runner.run(seq)
    assert report is not None
    assert report.ring is not None
    engine.run(seq, runner)
    assert (engine.process(seq).status, engine.process(seq).state, calls) == ("completed", {"calls": 1}, [1])
    assert [row.key for row in engine.steps(seq)] == ["start", "the_step", "done"]


def test_a_trivial_step_takes_two_statements_and_one_durable_commit(engine: EngineOnTest) -> None:
    """Counted in the server's own log; the claim's commit is asynchronous, the record's is the durable one."""
    statements = _statements_of_a_step(engine, lambda: {"small": 1})
    assert [statement.split()[0] for statement in statements] == ["WITH", "WITH"], statements
    assert "set_config('synchronous_commit', 'off', true)" in statements[0]
    assert "INSERT INTO process_steps" in statements[1]


@pytest.mark.parametrize("known", [True, False], ids=["of a process with a step to run", "of no process"])
def test_a_bell_lets_go_of_locks_that_are_left_over(engine: EngineOnTest, known: bool) -> None:
    seq = engine.start(single(lambda: None)) if known else 0
    left_over, runner = step_lock_key(4_711), engine.runner()
    held = "SELECT pg_try_advisory_lock(%(key)s)"
    assert runner._connection.row(held, {"key": left_over}) == (True,)
    assert engine.connection().row(held, {"key": left_over}) == (False,)
    runner.run(seq)
    assert engine.connection().row(held, {"key": left_over}) == (True,)


def test_a_step_that_writes_is_one_transaction_with_its_record(engine: EngineOnTest) -> None:
    statements = _statements_of_a_step(
        engine, lambda: {"found": db.session.execute(text("SELECT 'by the step'")).scalar_one()}
    )
    words = [statement.split()[0] for statement in statements]
    assert words == ["WITH", "BEGIN", "SELECT", "SELECT", "WITH", "SELECT", "COMMIT"], statements
    assert "pg_advisory_unlock" in statements[5]


def _statements_of_a_step(engine: EngineOnTest, function: Callable[[], dict[str, Any]]) -> list[str]:
    workflow_of_one, runner = single(function), engine.runner()
    engine.run(engine.start(workflow_of_one), runner)  # whatever is asked once for each connection
    seq = engine.start(workflow_of_one, {"large": "x" * 100_000})
    runner.run(seq)
    connection = runner._connection.open()
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(f"{notice.severity}: {notice.message_primary}"))
    connection.execute("SET client_min_messages = log")
    connection.execute("SET log_min_duration_statement = -1")
    connection.execute("SET log_statement = 'all'")
    notices.clear()
    assert runner.run(seq) is not None
    return [re.sub(r"^LOG: (statement|execute \w+): ", "", notice).strip() for notice in notices]


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"status": "running", "rung_at": "old"}, True),
        ({"status": "running"}, False),
        ({"status": "suspended", "rung_at": "old"}, False),
        ({"status": "running", "rung_at": "old", "paused": True}, False),
        ({"status": "running", "due_at": "old"}, True),
        ({"status": "running", "rung_at": "old", "due_at": "coming"}, False),
        ({"status": "waiting", "due_at": "old"}, True),
        ({"status": "waiting", "due_at": "coming"}, False),
    ],
    ids=str,
)
def test_the_sweep_rings_for_what_was_forgotten_and_for_nothing_else(
    engine: EngineOnTest, changed: dict[str, Any], found: bool
) -> None:
    seq = engine.start(three_entries())
    now = engine.process(seq).started_at
    moments = {"old": now.replace(year=2000), "coming": now.replace(year=2100)}
    engine.change(seq, **{name: moments.get(str(value), value) for name, value in changed.items()})
    sweep = Sweep(engine.url)
    assert [ring.seq for ring in sweep.find(dict)] == ([seq] if found else [])
    assert sweep.find(dict) == []
    sweep.close()


def test_only_one_clock_leads_and_another_takes_over(engine: EngineOnTest) -> None:
    first, second = Sweep(engine.url), Sweep(engine.url)
    first.find(dict)
    second.find(dict)
    assert (first.leads, second.leads) == (True, False)
    first.close()
    deadline = time.monotonic() + 5
    try:
        # The server lets go of the lock a moment after it was told that the connection ends.
        while not second.leads and time.monotonic() < deadline:
            second.find(dict)
        assert second.leads
    finally:
        second.close()


def test_locks_are_checked_to_belong_to_connections(engine: EngineOnTest) -> None:
    check_session_locks(engine.url)
