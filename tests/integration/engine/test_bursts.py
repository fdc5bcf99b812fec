"""A worker that goes on with the steps of one process: each is claimed, fenced and recorded as if it were alone."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from itertools import pairwise
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepReport, StepRunner
from orchestrator.engine.sweep import Sweep
from orchestrator.language.steps import conditional, done, init, step
from orchestrator.language.vocabulary import State
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.storage.database import libpq_url
from orchestrator.storage.session import db
from tests.integration.engine.engine_on_test import EngineOnTest

KEYS = ["start", "one", "two", "three", "done"]
Function = Callable[..., dict[str, Any] | None]


def always() -> bool:
    return True


def workflow_of(**functions: Function) -> Workflow:
    """Three steps, of which some do something."""
    steps = [step(key, key=key)(functions.get(key, lambda: None)) for key in KEYS[1:-1]]

    def flow() -> Any:
        return init >> steps[0] >> steps[1] >> steps[2] >> done

    return workflow("Three steps")(flow)


def burst(engine: EngineOnTest, seq: int, runner: StepRunner | None = None) -> list[StepReport]:
    return list((runner or engine.runner()).burst(seq, "a task", always))


def advisory_locks(engine: EngineOnTest) -> int:
    here = "database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    ((count,),) = engine.query(f"SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND {here}")
    return int(count)


def test_each_step_of_a_burst_has_a_claim_a_row_and_a_commit_of_its_own(engine: EngineOnTest) -> None:
    seq = engine.start(workflow_of(one=lambda: {"seen": 1}, two=lambda seen: {"seen": seen + 1}))
    reports = burst(engine, seq)
    assert [report.step_key for report in reports] == KEYS
    assert [report.ring for report in reports] == [None] * 5
    assert (engine.process(seq).status, engine.process(seq).state) == ("completed", {"seen": 2})
    rows = engine.steps(seq)
    assert [(row.key, row.attempt, row.task_id) for row in rows] == [(key, 1, "a task") for key in KEYS]
    assert len({row.claim for row in rows}) == 5
    assert engine.query("SELECT count(DISTINCT xmin::text) FROM process_steps") == [(5,)]
    assert all(before.started_at < row.started_at for before, row in pairwise(rows))
    assert all(row.started_at <= row.completed_at for row in rows)
    assert advisory_locks(engine) == 0


def test_a_burst_takes_one_statement_for_each_step_and_one_before(engine: EngineOnTest) -> None:
    flow, runner = workflow_of(), engine.runner()
    burst(engine, engine.start(flow), runner)
    connection = runner._connection.open()
    notices: list[str] = []
    connection.add_notice_handler(lambda notice: notices.append(str(notice.message_primary)))
    connection.execute("SET client_min_messages = log")
    connection.execute("SET log_statement = 'all'")
    notices.clear()
    assert len(burst(engine, engine.start(flow), runner)) == 5
    said = [re.sub(r"^(statement|execute \w+): ", "", notice).strip() for notice in notices]
    assert ["INSERT INTO process_steps" in statement for statement in said] == [False] + [True] * 5, said


def test_the_burst_ends_when_it_is_told_to_and_rings(engine: EngineOnTest) -> None:
    seq = engine.start(workflow_of())
    reports: list[StepReport] = []
    for report in engine.runner().burst(seq, None, lambda: len(reports) < 1):
        reports.append(report)
    assert [(report.step_key, report.ring is None) for report in reports] == [("start", True), ("one", False)]
    assert engine.process(seq).position == 2


@pytest.mark.parametrize("column", ["paused", "engine"])
def test_a_pause_ends_the_burst_and_leaves_no_claim(engine: EngineOnTest, column: str) -> None:
    seqs: list[int] = []

    def pause() -> None:
        if column == "paused":
            engine.change(seqs[0], paused=True)
        else:
            engine.query("UPDATE engine_settings SET paused = true")

    seqs.append(engine.start(workflow_of(one=pause)))
    assert [report.step_key for report in burst(engine, seqs[0])] == KEYS[:2]
    process = engine.process(seqs[0])
    assert (process.position, process.claim, process.attempt, advisory_locks(engine)) == (2, None, 0, 0)
    engine.change(seqs[0], paused=False)
    engine.query("UPDATE engine_settings SET paused = false")
    assert [report.step_key for report in burst(engine, seqs[0])] == KEYS[2:]


@pytest.mark.parametrize(
    ("change", "keys"),
    [("paused = true", KEYS[:2]), ("status = 'aborted', claim = NULL", KEYS[:1]), ("note = ''", KEYS)],
)
def test_a_record_that_waits_for_the_row_sees_what_it_has_become(
    engine: EngineOnTest, change: str, keys: list[str]
) -> None:
    seqs: list[int] = []
    with psycopg.connect(libpq_url(engine.url)) as other:

        def changes() -> dict[str, Any]:
            other.execute(f"UPDATE processes SET {change}".encode())
            threading.Timer(0.3, other.commit).start()
            return {"one": 1}

        seqs.append(engine.start(workflow_of(one=changes)))
        reports = burst(engine, seqs[0])
    assert [report.step_key for report in reports] == [row.key for row in engine.steps(seqs[0])] == keys
    process = engine.process(seqs[0])
    assert (process.claim, advisory_locks(engine)) == (None, 0)
    assert process.state == ({} if keys == KEYS[:1] else {"one": 1})


def test_an_abort_in_a_burst_wins_at_once(engine: EngineOnTest) -> None:
    seqs: list[int] = []
    seqs.append(engine.start(workflow_of(two=lambda: engine.change(seqs[0], status="aborted", claim=None))))
    assert [report.step_key for report in burst(engine, seqs[0])] == KEYS[:2]
    assert (engine.process(seqs[0]).status, advisory_locks(engine)) == ("aborted", 0)
    assert [row.key for row in engine.steps(seqs[0])] == KEYS[:2]


def test_a_failing_step_ends_the_burst(engine: EngineOnTest) -> None:
    def fail() -> None:
        raise ValueError("it broke")

    seq = engine.start(workflow_of(two=fail))
    reports = burst(engine, seq)
    assert [(report.step_key, report.failure is None) for report in reports] == [
        ("start", True),
        ("one", True),
        ("two", False),
    ]
    assert (engine.process(seq).status, advisory_locks(engine)) == ("failed", 0)


def test_a_step_that_writes_is_claimed_apart_and_the_burst_goes_on(engine: EngineOnTest) -> None:
    def write() -> None:
        db.session.execute(text("SELECT set_config('work_mem', '1MB', true)"))

    seq = engine.start(workflow_of(two=write))
    assert [(report.step_key, report.ring) for report in burst(engine, seq)] == [(key, None) for key in KEYS]
    assert [row.attempt for row in engine.steps(seq)] == [1] * 5
    assert advisory_locks(engine) == 0


def test_a_lock_that_a_condition_takes_is_let_go_of_before_the_next_step(engine: EngineOnTest) -> None:
    def takes_a_lock(_: State) -> bool:
        db.session.execute(text("SELECT pg_advisory_lock(7)"))
        return True

    seen: list[int] = []
    first, second = (
        step("one", key="one")(lambda: None),
        step("two", key="two")(lambda: seen.append(advisory_locks(engine))),
    )

    def flow() -> Any:
        return init >> conditional(takes_a_lock)(first) >> second >> done

    burst(engine, engine.start(workflow("A condition that locks")(flow)))
    assert seen == [1], "its own lock, and not that of the condition before"


def test_what_an_earlier_worker_lost_is_not_counted_for_the_next_step(engine: EngineOnTest) -> None:
    seq = engine.start(workflow_of())
    engine.change(seq, attempt=2)
    burst(engine, seq)
    assert [row.attempt for row in engine.steps(seq)] == [3, 1, 1, 1, 1]


def test_code_that_the_next_step_lacks_is_waited_for_from_its_claim_on(engine: EngineOnTest) -> None:
    seq = engine.start(workflow_of(), deployed=False)
    only = step("one", key="one")(lambda: None)

    def flow() -> Any:
        return init >> only >> done

    engine.catalog.add_workflow(workflow("One step")(flow))
    engine.change(seq, waiting_since=engine.process(seq).started_at - timedelta(hours=1))
    assert [report.step_key for report in burst(engine, seq)] == KEYS[:2]
    process = engine.process(seq)
    assert (process.status, process.claim, process.failed_reason) == ("running", None, None)
    assert process.due_at is not None


def test_the_next_step_sees_the_state_as_it_is_stored(engine: EngineOnTest) -> None:
    seen: list[object] = []
    value = {"large": 1e22, "nested": {"b": [1.0, 2], "a": None}, "text": "ä"}
    together = engine.start(workflow_of(one=lambda: {"value": value}, two=lambda value: seen.append(value)))
    burst(engine, together)
    one_by_one = engine.start(workflow_of(one=lambda: {"value": value}, two=lambda value: seen.append(value)))
    engine.run(one_by_one)
    assert len(seen) == 2
    assert repr(seen[0]) == repr(seen[1])


def test_a_worker_that_dies_after_it_claimed_the_next_step_loses_nothing(engine: EngineOnTest) -> None:
    seq = engine.start(workflow_of())
    connection = engine.connection()
    reports = StepRunner(connection, engine.catalog, engine.limits).burst(seq, None, always)
    next(reports)
    claimed = engine.process(seq)
    assert (claimed.position, claimed.attempt, claimed.claim is None) == (1, 1, False)
    assert engine.runner("early").run(seq) is None  # it is taken
    connection.discard()
    taken, deadline = None, time.monotonic() + 10
    while taken is None and time.monotonic() < deadline:
        taken = engine.runner("heir").run(seq)
    assert taken is not None
    burst(engine, seq)
    assert [(row.key, row.attempt) for row in engine.steps(seq)] == [
        ("start", 1),
        ("one", 2),
        ("two", 1),
        ("three", 1),
        ("done", 1),
    ]


def test_the_clock_rings_at_once_for_a_next_step_whose_worker_died(engine: EngineOnTest) -> None:
    seq = engine.start(workflow_of())
    connection, sweep = engine.connection(), Sweep(engine.url)
    next(StepRunner(connection, engine.catalog, engine.limits).burst(seq, None, always))
    died = time.monotonic()
    connection.discard()
    rung: list[int] = []
    while not rung:
        rung = [ring.seq for ring in sweep.find(dict)]
        assert time.monotonic() - died < 3
    sweep.close()
    assert rung == [seq]


def test_who_takes_no_more_reports_keeps_no_lock(engine: EngineOnTest) -> None:
    seq = engine.start(workflow_of())
    reports = engine.runner().burst(seq, None, always)
    next(reports)
    assert advisory_locks(engine) == 1
    reports.close()
    deadline = time.monotonic() + 10
    while advisory_locks(engine):
        assert time.monotonic() < deadline


def test_a_commit_that_nobody_answered_is_found_and_the_burst_goes_on(
    engine: EngineOnTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    seq = engine.start(
        workflow_of(**{key: lambda key=key: calls.append(key) for key in KEYS[1:-1]})  # type: ignore[misc]
    )
    connection = engine.connection()
    alone, records = WorkerConnection.row_alone, []

    def record_and_break(self: WorkerConnection, *arguments: Any) -> Any:
        row = alone(self, *arguments)
        records.append(row)
        if len(records) == 3:
            engine.query(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %(name)s",
                name=self.name,
            )
            self.open().execute("SELECT 1")
        return row

    monkeypatch.setattr(WorkerConnection, "row_alone", record_and_break)
    burst(engine, seq, StepRunner(connection, engine.catalog, engine.limits))
    assert (engine.process(seq).status, calls) == ("completed", ["one", "two", "three"])
    assert [row.key for row in engine.steps(seq)] == KEYS
    assert advisory_locks(engine) == 0
