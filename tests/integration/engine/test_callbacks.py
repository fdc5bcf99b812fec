"""Callbacks: whoever comes first, what an outside system sends is taken once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest

from orchestrator.errors import ConflictError, UnstorableInputError
from orchestrator.language.steps import conditional
from orchestrator.language.vocabulary import State
from orchestrator.storage.database import libpq_url
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.engine.outside_system import Outside, asking, ordering, statuses

TRIES = 8


def test_a_process_waits_for_a_callback_and_goes_on_with_what_it_brings(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    waiting = engine.process(seq)
    assert (waiting.status, waiting.step_key, waiting.due_at) == ("awaiting_callback", "order_it.await_callback", None)
    assert outside.routes[0].startswith(f"/api/processes/{waiting.process_id}/callback/")

    outside.call_back(seq, {"number": 7})
    assert [ring.seq for ring in outside.bell.rings] == [seq]
    assert engine.process(seq).status == "resumed"
    engine.run(seq)

    completed = engine.process(seq)
    assert (completed.status, completed.state) == (
        "completed",
        {"asked": True, "callback_result": {"number": 7}, "seen": 7},
    )
    assert statuses(engine, seq) == [
        ("ask", "success"),
        ("order_it.await_callback", "awaiting_callback"),
        ("order_it.await_callback", "success"),
        ("order_it.look_at", "success"),
        ("done", "complete"),
    ]
    assert engine.steps(seq)[3].delta == {"callback_result": {"number": 7}}
    audit = engine.query("SELECT actor, action, before->>'status', after->>'status' FROM audit")
    assert audit == [("outside", "callback", "awaiting_callback", "resumed")]


def test_a_callback_that_comes_while_the_asking_step_runs_is_not_lost(engine: EngineOnTest, outside: Outside) -> None:
    def ask(callback_route: str) -> None:
        outside.call_back(seq, {"number": 8}, callback_route)

    seq = engine.start(ordering(ask))
    engine.run(seq)
    assert engine.process(seq).state == {"callback_result": {"number": 8}, "seen": 8}
    assert ("order_it.await_callback", "awaiting_callback") not in statuses(engine, seq)


@pytest.mark.parametrize("callback_first", [True, False], ids=["callback first", "record first"])
def test_a_callback_and_the_record_of_the_step_that_waits_meet(
    engine: EngineOnTest, outside: Outside, callback_first: bool
) -> None:
    """Both want the row of the process at the same moment; a third one holds it until they stand in line."""

    def hold_up(state: State) -> bool:
        if "asked" not in state or "callback_result" in state or calls:
            return True
        holder.execute("SELECT FROM processes WHERE seq = %s FOR NO KEY UPDATE", [seq])
        if callback_first:
            calls.append(pool.submit(outside.call_back, seq, {"number": 9}))
            wait_until(lambda: waiting_for_locks(engine) == 1)
        else:
            calls.append(pool.submit(call_back_behind_the_record))
        calls.append(pool.submit(let_go))
        return True

    def call_back_behind_the_record() -> None:
        wait_until(lambda: waiting_for_locks(engine) == 1)
        outside.call_back(seq, {"number": 9})

    def let_go() -> None:
        try:
            wait_until(lambda: waiting_for_locks(engine) == 2)
        finally:
            holder.rollback()

    calls: list[Future[None]] = []
    seq = engine.start(asking(outside, around=conditional(hold_up)))
    never_for_ever = "-c idle_in_transaction_session_timeout=15s"
    with psycopg.connect(libpq_url(engine.url), options=never_for_ever) as holder, ThreadPoolExecutor(2) as pool:
        engine.run(seq)
        for call in calls:
            call.result(20)
    engine.run(seq)

    assert engine.process(seq).state == {"asked": True, "callback_result": {"number": 9}, "seen": 9}
    assert (("order_it.await_callback", "awaiting_callback") in statuses(engine, seq)) is not callback_first


def waiting_for_locks(engine: EngineOnTest) -> int:
    """How many wait to lock the row of a process, before they have looked at or written anything else."""
    statement = (
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database() "
        "AND position('FOR NO KEY UPDATE' IN query) > 0"
    )
    count: int = engine.query(statement)[0][0]
    return count


def wait_until(what: Callable[[], bool]) -> None:
    for _ in range(400):
        if what():
            return
        threading.Event().wait(0.02)
    pytest.fail("it never came to that")


@pytest.mark.parametrize("waits", [True, False], ids=["waiting", "not waiting yet"])
def test_of_two_callbacks_at_the_same_moment_one_is_taken(engine: EngineOnTest, outside: Outside, waits: bool) -> None:
    flow = asking(outside)
    for _ in range(TRIES):
        seq = engine.start(flow)
        runner = engine.runner()
        for _ in range(3 if waits else 2):
            runner.run(seq)
        together = threading.Barrier(2)

        def call_back(number: int, seq: int = seq, together: threading.Barrier = together) -> int | None:
            together.wait(10)
            try:
                outside.call_back(seq, {"number": number})
            except ConflictError:
                return None
            return number

        with ThreadPoolExecutor(2) as pool:
            taken = [number for number in pool.map(call_back, [1, 2]) if number is not None]
        engine.run(seq)
        assert [engine.process(seq).state["seen"]] == taken


def test_a_second_callback_is_refused_before_and_after_the_first_was_used(
    engine: EngineOnTest, outside: Outside
) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    outside.call_back(seq, {"number": 1})
    with pytest.raises(ConflictError, match="already"):
        outside.call_back(seq, {"number": 2})
    engine.run(seq)
    with pytest.raises(ConflictError, match="already"):
        outside.call_back(seq, {"number": 3})
    with pytest.raises(ConflictError, match="already"):
        outside.tell(seq, "too late")
    assert engine.process(seq).state["seen"] == 1


def test_what_is_too_large_or_cannot_be_stored_is_refused(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    for body in ({"text": "x" * 2_000}, {"number": float("nan")}):
        with pytest.raises(UnstorableInputError):
            outside.call_back(seq, body)
    assert engine.process(seq).status == "awaiting_callback"
