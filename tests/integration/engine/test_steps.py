"""Steps as the engine runs them: what they change, how they fail, what is recorded."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from orchestrator.engine.runner import Limits
from orchestrator.errors import InconsistentDataError, ProcessFailureError
from orchestrator.language.actions import Retry
from orchestrator.language.steps import abort, conditional, done, focussteps, init, inputstep, step
from orchestrator.language.vocabulary import REMOVED
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import task, workflow
from orchestrator.storage.session import db
from tests.integration.engine.engine_on_test import EngineOnTest, nobody_at_a_keyboard, somebody_at_a_keyboard

Ledger = Callable[[], list[str]]

# What these states start with comes from no form, so that nothing seems to supply it.
pytestmark = pytest.mark.filterwarnings("ignore::orchestrator.language.supply.UnsuppliedParameterWarning")


def one_step(function: Callable[..., Any], *, is_task: bool = False) -> Workflow:
    """A workflow whose only own step is this function."""
    made = step("The step", key="the_step")(function)

    def flow() -> Any:
        return made if is_task else init >> made >> done

    return task("A task")(flow) if is_task else workflow("A workflow")(flow)


@step("Add")
def add(number: int = 0) -> dict[str, Any]:
    return {"number": number + 1, "at": datetime(2026, 1, 1, tzinfo=UTC), "price": Decimal("1.50")}


@step("Remove")
def remove(at: datetime, price: Decimal) -> dict[str, Any]:
    assert at.year == 2026
    assert price == Decimal("1.50")
    return {"at": REMOVED, "price": REMOVED}


@workflow("Adds and removes")
def adds_and_removes() -> Any:
    return init >> add >> remove >> done


def test_a_workflow_runs_to_its_end_and_stores_what_each_step_changed(engine: EngineOnTest) -> None:
    seq = engine.start(adds_and_removes, {"number": 1})
    reports = engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.state, process.position, process.claim) == ("completed", {"number": 2}, 4, None)
    rows = engine.steps(seq)
    assert [(row.key, row.status) for row in rows] == [
        ("start", "success"),
        ("add", "success"),
        ("remove", "success"),
        ("done", "complete"),
    ]
    assert rows[1].delta == {"number": 2, "at": "2026-01-01T00:00:00+00:00", "price": "1.50"}
    assert sorted(rows[2].removed) == ["at", "price"]
    assert [report.ring.step_key if report.ring else None for report in reports] == ["add", "remove", "done", None]
    assert [row.task_id for row in rows] == ["task-0", "task-1", "task-2", "task-3"]


def test_a_step_that_fails_keeps_the_place_and_goes_on_from_there(engine: EngineOnTest, ledger: Ledger) -> None:
    broken = [True]

    def fails_once() -> dict[str, Any]:
        db.session.execute(text("INSERT INTO ledger VALUES ('written')"))
        if broken.pop():
            raise ProcessFailureError("not today", details={"device": "r1"})
        return {"done": True}

    broken[:] = [False, True]
    seq = engine.start(one_step(fails_once), {"kept": 1})
    engine.run(seq)
    failed = engine.process(seq)
    assert (failed.status, failed.position, failed.state) == ("failed", 1, {"kept": 1})
    assert failed.failed_reason == "Step 'The step' (the_step): not today"
    assert "fails_once" in str(failed.traceback)
    assert ledger() == []
    row = engine.steps(seq)[-1]
    assert (row.status, row.error["class"], row.error["details"]) == ("failed", "ProcessFailureError", {"device": "r1"})

    engine.change(seq, status="resumed")
    engine.run(seq)
    ended = engine.process(seq)
    assert (ended.status, ended.state, ended.failed_reason) == ("completed", {"kept": 1, "done": True}, None)
    assert ledger() == ["written"]
    assert [row.key for row in engine.steps(seq)] == ["start", "the_step", "the_step", "done"]


def test_database_effects_and_result_commit_together(engine: EngineOnTest, ledger: Ledger) -> None:
    def returns_nonsense() -> Any:
        db.session.execute(text("INSERT INTO ledger VALUES ('gone')"))
        return {"bad": {1, 2}}

    seq = engine.start(one_step(returns_nonsense))
    engine.run(seq)
    assert engine.process(seq).status == "failed"
    assert ledger() == []


UNSTORABLE: dict[str, tuple[Any, str]] = {
    "a set": ({1, 2}, "set"),
    "not a number": (float("nan"), "nan"),
    "a NUL": ("a\x00b", "NUL"),
    "a lone surrogate": ("\ud800", "surrogate"),
    "a huge integer": (2**70, "64 bits"),
    "a deep NUL": ({"a": [1, {"b": "\x00"}]}, "found.a[1].b"),
    "an object": (object(), "object"),
    "too large": ("x" * 2_000_000, "limit"),
}


@pytest.mark.parametrize("name", UNSTORABLE)
def test_a_result_that_cannot_be_stored_fails_the_step_and_names_the_key(engine: EngineOnTest, name: str) -> None:
    value, word = UNSTORABLE[name]
    seq = engine.start(one_step(lambda: {"found": value}))
    engine.run(seq)
    process = engine.process(seq)
    assert process.status == "failed"
    assert "'The step' (the_step)" in str(process.failed_reason)
    assert "found" in str(process.failed_reason)
    assert word in str(process.failed_reason)


def raises_nul() -> None:
    raise ValueError("a \x00 and a \ud800")


class UnprintableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def raises_unprintable() -> None:
    raise UnprintableError


MISBEHAVIOURS: dict[str, tuple[Callable[..., Any], str]] = {
    "returns a list": (lambda: [1], "list, not a dict"),
    "calls commit": (lambda: db.session.commit(), "commit"),
    "calls sys.exit": (lambda: sys.exit(3), "sys.exit(3)"),
    "raises a NUL": (raises_nul, "\\x00"),
    "raises the unprintable": (raises_unprintable, "UnprintableError"),
    "lacks a parameter": (lambda nobody: {}, "'nobody'"),
    "has a number as key": (lambda: {1: 2}, "not text"),
    "recurses": (lambda: MISBEHAVIOURS["recurses"][0](), "recursion"),
    "breaks a rule": (lambda: db.session.execute(text("INSERT INTO ledger VALUES (NULL)")), "null value"),
    "interrupts": (lambda: (_ for _ in ()).throw(GeneratorExit()), "The step"),
}


@pytest.mark.parametrize("name", MISBEHAVIOURS)
def test_a_step_that_misbehaves_fails_with_step_and_cause_and_the_worker_lives_on(
    engine: EngineOnTest, name: str
) -> None:
    function, word = MISBEHAVIOURS[name]
    runner = engine.runner()
    seq = engine.start(one_step(function))
    engine.run(seq, runner)
    process = engine.process(seq)
    assert process.status == "failed"
    assert "'The step' (the_step)" in str(process.failed_reason)
    assert word in str(process.failed_reason)
    # The worker lives on, holds no lock and has no transaction open.
    after = engine.start(adds_and_removes, {"number": 1})
    engine.run(after, runner)
    assert engine.process(after).status == "completed"
    assert engine.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]


def raises_keyboard_interrupt() -> None:
    raise KeyboardInterrupt


def test_an_interrupt_that_a_step_makes_itself_fails_it_and_one_from_the_keyboard_goes_through(
    engine: EngineOnTest,
) -> None:
    seq = engine.start(one_step(raises_keyboard_interrupt))
    with somebody_at_a_keyboard(), pytest.raises(KeyboardInterrupt):
        engine.run(seq)
    with nobody_at_a_keyboard():
        engine.run(seq)
    assert "KeyboardInterrupt" in str(engine.process(seq).traceback)
    assert engine.process(seq).status == "failed"


@pytest.mark.parametrize("ending", ["COMMIT", "ROLLBACK"])
def test_a_step_that_ends_its_transaction_itself_fails(engine: EngineOnTest, ending: str) -> None:
    def ends() -> None:
        db.session.execute(text("INSERT INTO ledger VALUES ('a')"))
        db.session.execute(text(ending))
        db.session.execute(text("INSERT INTO ledger VALUES ('b')"))

    seq = engine.start(one_step(ends))
    engine.run(seq)
    process = engine.process(seq)
    assert process.status == "failed"
    assert "ended its transaction itself" in str(process.failed_reason)


def test_close_of_the_session_does_nothing(engine: EngineOnTest, ledger: Ledger) -> None:
    def closes() -> None:
        with db.session as session:
            session.execute(text("INSERT INTO ledger VALUES ('kept')"))
        db.session.close()

    seq = engine.start(one_step(closes))
    engine.run(seq)
    assert engine.process(seq).status == "completed"
    assert ledger() == ["kept"]


def test_a_deferred_constraint_fails_the_step_at_its_commit(engine: EngineOnTest, ledger: Ledger) -> None:
    engine.query("CREATE TABLE later (id int, CONSTRAINT once UNIQUE (id) DEFERRABLE INITIALLY DEFERRED)")

    def breaks_it() -> None:
        db.session.execute(text("INSERT INTO ledger VALUES ('gone')"))
        db.session.execute(text("INSERT INTO later VALUES (1), (1)"))

    seq = engine.start(one_step(breaks_it))
    engine.run(seq)
    process = engine.process(seq)
    assert process.status == "failed"
    assert "once" in str(process.failed_reason)
    assert ledger() == []


def failing(error: Exception) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


class Stale(InconsistentDataError):
    pass


@pytest.mark.parametrize(
    ("error", "is_task", "status"),
    [
        (AssertionError("differs"), True, "inconsistent_data"),
        (Stale("differs"), True, "inconsistent_data"),
        (AssertionError("differs"), False, "failed"),
        (ConnectionRefusedError("nobody"), False, "api_unavailable"),
        (TimeoutError("slow"), True, "api_unavailable"),
        (KeyError("k"), True, "failed"),
    ],
    ids=repr,
)
def test_an_error_is_judged_by_its_class(engine: EngineOnTest, error: Exception, is_task: bool, status: str) -> None:
    seq = engine.start(one_step(failing(error), is_task=is_task))
    engine.run(seq)
    assert engine.process(seq).status == status


def test_a_condition_skips_a_step_and_a_lens_narrows_one(engine: EngineOnTest) -> None:
    @step("Count")
    def count(n: int) -> dict[str, Any]:
        return {"n": n + 1}

    @workflow("Conditions")
    def conditions() -> Any:
        return (
            init
            >> conditional(lambda state: state["wanted"])(count)
            >> conditional(lambda state: not state["wanted"])(count)
            >> focussteps("inner")(count)
            >> done
        )

    seq = engine.start(conditions, {"wanted": True, "n": 1, "inner": {"n": 10, "other": 1}})
    engine.run(seq)
    assert engine.process(seq).state == {"wanted": True, "n": 2, "inner": {"n": 11, "other": 1}}
    assert [row.status for row in engine.steps(seq)] == ["success", "success", "skipped", "success", "complete"]
    assert engine.steps(seq)[3].delta == {"inner": {"n": 11, "other": 1}}


def test_an_input_step_suspends_for_its_assignee(engine: EngineOnTest) -> None:
    @inputstep("Ask", assignee="NOC")
    def ask(state: dict[str, Any]) -> Any:
        raise AssertionError("a form is made where it is shown, not by the worker")

    @workflow("Asks")
    def asks() -> Any:
        return init >> ask >> done

    seq = engine.start(asks)
    engine.run(seq)
    process = engine.process(seq)
    assert (process.status, process.position, process.assignee) == ("suspended", 1, "NOC")
    assert engine.steps(seq)[-1].status == "suspend"
    assert engine.runner().run(seq) is None


def test_the_abort_step_ends_the_process(engine: EngineOnTest) -> None:
    @workflow("Aborts")
    def aborts() -> Any:
        return init >> abort >> add >> done

    seq = engine.start(aborts)
    engine.run(seq)
    assert (engine.process(seq).status, engine.steps(seq)[-1].status) == ("aborted", "abort")


def test_a_retried_step_waits_longer_each_time_and_fails_when_its_attempts_run_out(engine: EngineOnTest) -> None:
    policy = Retry(attempts=3, wait=100.0, factor=2.0, jitter=0.0, on=ValueError)
    flaky = step("Flaky", retry=policy)(failing(ValueError("again")))

    @workflow("Retries")
    def retries() -> Any:
        return init >> flaky >> done

    seq = engine.start(retries)
    waits = []
    for _ in range(2):
        engine.run(seq)
        process = engine.process(seq)
        assert (process.status, process.waiting_for) == ("waiting", "retry")
        assert process.due_at is not None
        waits.append(round((process.due_at - datetime.now(UTC)).total_seconds(), -1))
        engine.change(seq, status="resumed", due_at=None)
    engine.run(seq)
    assert engine.process(seq).status == "failed"
    assert waits == [100.0, 200.0]
    assert [row.status for row in engine.steps(seq)] == ["success", "waiting", "waiting", "failed"]


def test_a_step_is_handed_its_process_and_an_idempotency_key_that_a_retry_keeps(engine: EngineOnTest) -> None:
    seen: list[tuple[UUID, str]] = []

    def notes(process_id: UUID, idempotency_key: str) -> None:
        seen.append((process_id, idempotency_key))
        if len(seen) == 1:
            raise ValueError("once")

    seq = engine.start(one_step(notes))
    engine.run(seq)
    engine.change(seq, status="resumed")
    engine.run(seq)
    process_id = engine.process(seq).process_id
    assert seen == [(process_id, f"{process_id}:the_step:1")] * 2


def test_code_that_is_gone_is_waited_for_and_then_fails_naming_key_and_version(engine: EngineOnTest) -> None:
    seq = engine.start(adds_and_removes, {"number": 1}, deployed=False)
    assert engine.runner().run(seq) is None
    put_off = engine.process(seq)
    assert (put_off.status, put_off.claim, put_off.attempt) == ("running", None, 0)
    assert put_off.due_at is not None

    impatient = Limits(1_000_000, 3, code_wait=0.0)
    report = engine.runner(limits=impatient).run(seq)
    assert report is not None
    reason = str(engine.process(seq).failed_reason)
    assert engine.process(seq).status == "failed"
    assert "'adds_and_removes'" in reason
    assert adds_and_removes.version[:12] in reason

    engine.catalog.add_workflow(adds_and_removes)
    engine.change(seq, status="resumed")
    engine.run(seq)
    assert engine.process(seq).status == "completed"


def test_a_step_key_that_is_gone_is_named(engine: EngineOnTest) -> None:
    seq = engine.start(one_step(lambda: {"a": 1}), deployed=False)

    def flow() -> Any:
        return init >> done

    engine.catalog.add_workflow(workflow("A workflow")(flow))
    runner = engine.runner(limits=Limits(1_000_000, 3, code_wait=0.0))
    engine.run(seq, runner)
    assert "has no step 'the_step'" in str(engine.process(seq).failed_reason)


def test_a_step_whose_worker_dies_again_and_again_is_given_up(engine: EngineOnTest) -> None:
    seq = engine.start(adds_and_removes, {"number": 1})
    engine.change(seq, attempt=3, status="running")
    engine.run(seq)
    assert "3 times without a result" in str(engine.process(seq).failed_reason)
