"""Steps that misuse what they are given: the session, its connection, the worker's process, their own exceptions."""

from __future__ import annotations

import contextvars
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Never

import pytest
from psycopg.rows import dict_row
from sqlalchemy import Engine, text

from orchestrator.engine.sweep import Sweep
from orchestrator.errors import NoSessionError
from orchestrator.language.steps import done, init, step
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.storage.session import db
from tests.integration.engine.engine_on_test import EngineOnTest, somebody_at_a_keyboard

Ledger = Callable[[], list[str]]


def single(function: Callable[..., Any], name: str = "only_step") -> Workflow:
    """A workflow whose only own step is this function."""
    made = step("The step", key="the_step")(function)

    def flow() -> Any:
        return init >> made >> done

    flow.__name__ = name
    return workflow("A workflow")(flow)


def execute(statement: str) -> None:
    db.session.execute(text(statement))


def write(entry: str) -> None:
    execute(f"INSERT INTO ledger VALUES ('{entry}')")


def fails_in_a_savepoint() -> None:
    write("before")
    with suppress(ZeroDivisionError), db.session.begin_nested():
        write("inside")
        raise ZeroDivisionError


def succeeds_in_a_savepoint() -> None:
    with db.session.begin_nested():
        write("inside")


def rolls_back() -> None:
    with suppress(Exception):
        execute("INSERT INTO ledger VALUES (NULL)")
    db.session.rollback()


def rolls_back_and_writes() -> None:
    write("gone")
    db.session.rollback()
    write("kept")


@pytest.mark.parametrize(
    ("function", "entries"),
    [
        (fails_in_a_savepoint, ["before"]),
        (succeeds_in_a_savepoint, ["inside"]),
        (rolls_back, []),
        (rolls_back_and_writes, ["kept"]),
    ],
)
def test_a_step_may_use_savepoints_and_take_back_what_it_did(
    engine: EngineOnTest, ledger: Ledger, function: Callable[[], None], entries: list[str]
) -> None:
    seq = engine.start(single(function))
    engine.run(seq)
    assert (engine.process(seq).status, engine.process(seq).failed_reason) == ("completed", None)
    assert ledger() == entries


def commits_the_connection() -> None:
    write("too early")
    db.session.connection().commit()


def begins_on_the_engine() -> None:
    engine = db.session.get_bind()
    assert isinstance(engine, Engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO ledger VALUES ('too early')"))


@pytest.mark.parametrize("function", [commits_the_connection, begins_on_the_engine])
def test_a_commit_past_the_session_is_refused_before_it_happens(
    engine: EngineOnTest, ledger: Ledger, function: Callable[[], None]
) -> None:
    seq = engine.start(single(function))
    engine.run(seq)
    assert "called commit" in str(engine.process(seq).failed_reason)
    assert ledger() == []


def test_autocommit_in_a_step_fails_it(engine: EngineOnTest) -> None:
    def switches() -> None:
        db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"})
        write("at once")

    seq = engine.start(single(switches))
    engine.run(seq)
    assert engine.process(seq).status == "failed"
    assert "ended its transaction itself" in str(engine.process(seq).failed_reason)
    assert [row.status for row in engine.steps(seq)] == ["success", "failed"]


def loses_it_and_looks_away(engine: EngineOnTest) -> None:
    engine.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE %(n)s", n="%worker%"
    )
    with suppress(Exception):
        execute("SELECT 1")


def closes_it(_: EngineOnTest) -> None:
    db.session.connection().connection.driver_connection.close()  # type: ignore[union-attr]


def invalidates_it(_: EngineOnTest) -> None:
    db.session.connection().invalidate()


def disposes_of_the_engine(_: EngineOnTest) -> None:
    db.session.get_bind().dispose()  # type: ignore[union-attr]


@pytest.mark.parametrize("lose", [loses_it_and_looks_away, closes_it, invalidates_it, disposes_of_the_engine])
def test_a_step_is_not_recorded_without_the_effects_that_its_connection_took_away(
    engine: EngineOnTest, ledger: Ledger, lose: Callable[[EngineOnTest], None]
) -> None:
    calls: list[int] = []

    def writes_and_loses_its_connection() -> dict[str, Any]:
        calls.append(1)
        write("effect")
        if len(calls) == 1:
            lose(engine)
        return {"calls": len(calls)}

    seq = engine.start(single(writes_and_loses_its_connection))
    runner = engine.runner()
    engine.run(seq, runner)
    dropped = engine.process(seq)
    assert (dropped.status, dropped.state, ledger()) == ("running", {}, [])
    engine.run(seq, runner)
    assert (engine.process(seq).status, engine.process(seq).state, ledger()) == ("completed", {"calls": 2}, ["effect"])


ROLE = f"role_of_{os.getpid()}"
TRACES = {
    "a setting": "SET search_path = nowhere, public",
    "no durability": "SET synchronous_commit = off",
    "read only from now on": "SET default_transaction_read_only = on",
    "a time-out": "SET statement_timeout = '20s'",
    "a time zone": "SET timezone = 'Asia/Tokyo'",
    "an encoding": "SET client_encoding = 'LATIN1'",
    "a role": f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {ROLE};SET ROLE {ROLE}",
    "an ear": "LISTEN something",
    "a temporary table": "CREATE TEMP TABLE left_behind (a int)",
    "a cursor": "DECLARE left_behind CURSOR WITH HOLD FOR SELECT 1",
    "a lock": "SELECT pg_advisory_lock(5)",
}
LOOK = """
SELECT concat_ws(' | ', current_setting('search_path'), current_setting('synchronous_commit'),
       current_setting('default_transaction_read_only'), current_setting('statement_timeout'),
       current_setting('timezone'), current_setting('client_encoding'), current_user,
       (SELECT count(*) FROM pg_listening_channels()), to_regclass('left_behind'),
       (SELECT count(*) FROM pg_cursors WHERE is_holdable),
       (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()))
"""


@pytest.mark.parametrize("name", TRACES)
def test_what_a_step_does_to_its_session_does_not_reach_the_next_step(engine: EngineOnTest, name: str) -> None:
    seen: list[str] = []

    def look() -> None:
        seen.append(db.session.execute(text(LOOK)).scalar_one())

    def leave() -> None:
        for statement in TRACES[name].split(";"):
            execute(statement)

    engine.query(f"CREATE ROLE {ROLE}")
    clean, leaves = single(look, "looks"), single(leave, "leaves")
    runner = engine.runner()
    engine.run(engine.start(clean), runner)
    seq = engine.start(leaves)
    engine.run(seq, runner)
    assert engine.process(seq).failed_reason is None
    engine.run(engine.start(clean), runner)
    engine.query(f"DROP OWNED BY {ROLE}")
    engine.query(f"DROP ROLE {ROLE}")
    assert seen[0] == seen[1]


def test_a_step_that_has_the_server_forget_what_is_prepared_harms_itself_alone(engine: EngineOnTest) -> None:
    def forgets() -> None:
        execute("DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")

    def looks() -> None:
        execute("SELECT 1")

    runner, harmless = engine.runner(), single(looks, "harmless")
    for _ in range(3):  # until all that the protocol says is prepared
        engine.run(engine.start(harmless), runner)
    forgetful = single(forgets)
    fails, commits, after = engine.start(forgetful), engine.start(forgetful), engine.start(harmless)
    engine.run(fails, runner)  # its record was prepared, that of the next one is not, since this was rolled back
    engine.run(commits, runner)
    engine.run(after, runner)
    assert "prepared statement" in str(engine.process(fails).failed_reason)
    assert [engine.process(seq).status for seq in (commits, after)] == ["completed", "completed"]


def test_rows_of_the_protocol_stay_what_they_are_whatever_a_step_does_to_its_connection(engine: EngineOnTest) -> None:
    def changes_rows() -> None:
        db.session.connection().connection.driver_connection.row_factory = dict_row  # type: ignore[union-attr]

    def reads_time() -> dict[str, Any]:
        return {"one": db.session.execute(text("SELECT 1")).scalar_one()}

    runner = engine.runner()
    first, second = engine.start(single(changes_rows, "first")), engine.start(single(reads_time, "second"))
    engine.run(first, runner)
    engine.run(second, runner)
    assert [engine.process(seq).status for seq in (first, second)] == ["completed", "completed"]


def test_a_thread_that_outlives_its_step_gets_no_session(engine: EngineOnTest) -> None:
    contexts: list[contextvars.Context] = []
    refused: list[Exception] = []

    def late() -> None:
        try:
            contexts[0].run(execute, "SELECT 1")
        except NoSessionError as error:
            refused.append(error)

    def leaves_a_context() -> None:
        contexts.append(contextvars.copy_context())
        contexts[0].run(execute, "SELECT 1")

    def next_step() -> None:
        thread = threading.Thread(target=late)
        thread.start()
        thread.join()

    runner = engine.runner()
    engine.run(engine.start(single(leaves_a_context, "first")), runner)
    late()
    engine.run(engine.start(single(next_step, "second")), runner)
    assert len(refused) == 2


class OddDetailsError(Exception):
    @property
    def details(self) -> Never:
        raise RuntimeError("no details")


class OddResponseError(Exception):
    @property
    def response(self) -> Never:
        raise RuntimeError("no response")


class OddStatusError(Exception):
    class response:  # noqa: N801
        status_code = [1]


class OddTextError(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt


class OddDocumentationError(Exception):
    __doc__ = 5  # type: ignore[assignment]


class HugeDetailsError(Exception):
    details = "x" * 5_000_000


class CyclicDetailsError(Exception):
    def __init__(self) -> None:
        self.details: list[Any] = []
        self.details.append(self.details)


class OddCode:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


ODD = [
    OddDetailsError("odd"),
    OddResponseError("odd"),
    OddStatusError("odd"),
    OddTextError(),
    OddDocumentationError(),
    HugeDetailsError("odd"),
    CyclicDetailsError(),
    SystemExit(OddCode()),
    type("Odd" + "Long" * 1000, (Exception,), {})("odd"),
]


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__[:20].encode("ascii", "replace").decode())
def test_a_failure_is_recorded_however_odd_its_exception_is(engine: EngineOnTest, error: BaseException) -> None:
    def fails() -> None:
        raise error

    seq = engine.start(single(fails))
    engine.run(seq)
    process = engine.process(seq)
    assert process.status == "failed"
    assert str(process.failed_reason).startswith("Step 'The step' (the_step): ")
    assert engine.steps(seq)[-1].status == "failed"


def test_the_end_of_a_long_traceback_is_kept(engine: EngineOnTest) -> None:
    def fails() -> None:
        error: Exception | None = None
        for number in range(2000):
            try:
                raise ValueError(f"number {number}") from error
            except ValueError as raised:
                error = raised
        assert error is not None
        raise error

    seq = engine.start(single(fails))
    engine.run(seq)
    assert str(engine.process(seq).traceback).endswith("ValueError: number 1999\n")


def test_a_claim_that_ends_in_an_exception_of_the_worker_keeps_no_lock(engine: EngineOnTest) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    seq = engine.start(single(interrupted))
    runner = engine.runner()
    runner.run(seq)
    with somebody_at_a_keyboard(), pytest.raises(KeyboardInterrupt):
        runner.run(seq)
    deadline = time.monotonic() + 10
    while engine.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != [(0,)]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    sweep, rung = Sweep(engine.url), []
    while not rung and time.monotonic() < deadline:
        rung = [ring.seq for ring in sweep.find(dict)]
    sweep.close()
    assert rung == [seq]


@pytest.mark.parametrize("way", ["returns", "exits"])
def test_a_child_that_a_step_forks_never_records(engine: EngineOnTest, way: str) -> None:
    statuses: list[int] = []

    def forks() -> dict[str, Any]:
        child = os.fork()
        if child == 0:
            if way == "exits":
                sys.exit(0)
            return {"by": "the child"}
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        return {"by": "the parent"}

    seq = engine.start(single(forks))
    engine.run(seq)
    assert (engine.process(seq).status, engine.process(seq).state) == ("completed", {"by": "the parent"})
    assert statuses == [1]


def test_a_result_is_dropped_when_the_step_let_go_of_its_lock_and_another_worker_took_over(
    engine: EngineOnTest, ledger: Ledger
) -> None:
    calls: list[str] = []
    second = engine.runner("second")

    def lets_go() -> dict[str, Any]:
        calls.append("called")
        write(f"call {len(calls)}")
        if len(calls) == 1:
            execute("SELECT pg_advisory_unlock_all()")
            assert second.run(seq) is not None
            return {"by": "the first"}
        return {"by": "the second"}

    seq = engine.start(single(lets_go))
    first = engine.runner("first")
    first.run(seq)
    assert first.run(seq) is None
    assert (engine.process(seq).state, engine.process(seq).position) == ({"by": "the second"}, 2)
    assert ledger() == ["call 2"]
    assert [row.key for row in engine.steps(seq)] == ["start", "the_step"]
