"""Callbacks: whoever comes first, whatever dies, what an outside system sends is taken once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
import pytest

from orchestrator.engine.callbacks import CallbackSigner, check_secret_key
from orchestrator.engine.sweep import Sweep
from orchestrator.errors import (
    CallbackNotFoundError,
    ConflictError,
    EnginePausedError,
    ProcessNotFoundError,
    SettingsError,
    UnstorableInputError,
)
from orchestrator.language.callbacks import callback_step
from orchestrator.language.steps import conditional, done, focussteps, init, step
from orchestrator.language.vocabulary import Actor, State
from orchestrator.language.workflows import Workflow, workflow
from orchestrator.services.callbacks import deliver_callback, report_progress
from orchestrator.services.context import Context
from orchestrator.services.process_views import process_detail
from orchestrator.services.processes import abort_process, resume_process
from orchestrator.settings import Settings
from orchestrator.storage.database import libpq_url
from tests.integration.engine.engine_on_test import SECRET_KEY, EngineOnTest
from tests.integration.process_world import SilentBell, unknown_id

OUTSIDE = Actor("outside")
TRIES = 8


@dataclass
class Outside:
    """The outside system: keeps the routes that it was handed, and answers when it is told to."""

    engine: EngineOnTest
    routes: list[str] = field(default_factory=list)
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        self.bell = SilentBell()
        settings = Settings(secret_key=SECRET_KEY, max_delta_bytes=1_000)
        self.context = Context(self.engine.database, self.engine.catalog, self.bell, settings)

    def call_back(self, seq: int, body: State, route: str | None = None) -> None:
        token = (route or self.routes[-1]).rpartition("/")[2]
        deliver_callback(self.context, OUTSIDE, self.engine.process(seq).process_id, token, body)

    def tell(self, seq: int, progress: State | str) -> None:
        token = self.routes[-1].rpartition("/")[2]
        report_progress(self.context, OUTSIDE, self.engine.process(seq).process_id, token, progress)

    def progress(self, seq: int) -> Any:
        return process_detail(self.context, self.engine.process(seq).process_id).callback_progress

    def resume(self, seq: int) -> None:
        resume_process(self.context, OUTSIDE, self.engine.process(seq).process_id)


@pytest.fixture
def outside(engine: EngineOnTest) -> Outside:
    return Outside(engine)


@step("Look at the order")
def look_at(callback_result: State) -> State:
    return {"seen": callback_result["number"]}


def ordering(
    ask: Callable[..., Any], around: Callable[..., Any] | None = None, timeout: float | None = None
) -> Workflow:
    """A workflow that orders something outside and looks at what came back."""
    order = callback_step("Order it", step("Ask", key="ask")(ask), look_at, timeout=timeout)

    def flow() -> Any:
        return init >> (around(order) if around else order) >> done

    return workflow("Order")(flow)


def asking(outside: Outside, **options: Any) -> Workflow:
    """The same with an outside system that only keeps its route."""

    def ask(callback_route: str) -> State:
        outside.routes.append(callback_route)
        return {"asked": True}

    return ordering(ask, **options)


def statuses(engine: EngineOnTest, seq: int) -> list[tuple[str, str]]:
    return [(row.key, row.status) for row in engine.steps(seq)][1:]


def everything_stored(engine: EngineOnTest) -> str:
    tables = engine.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    return "\n".join(str(engine.query(f'SELECT t::text FROM "{name}" t')) for (name,) in tables)


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


def test_a_wrong_token_is_none(engine: EngineOnTest, outside: Outside) -> None:
    flow = asking(outside)
    seq, other = engine.start(flow), engine.start(flow)
    engine.run(seq)
    engine.run(other)
    for token in (outside.routes[1], outside.routes[0][:-1], outside.routes[0] + "x", "/", "/ü"):
        with pytest.raises(CallbackNotFoundError):
            outside.call_back(seq, {"number": 1}, token)
    with pytest.raises(ProcessNotFoundError):
        deliver_callback(outside.context, OUTSIDE, unknown_id(), outside.routes[0].rpartition("/")[2], {})
    assert engine.process(seq).status == "awaiting_callback"


def test_a_token_made_with_another_key_is_none(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    settings = outside.context.settings.model_copy(update={"secret_key": Settings(secret_key="x").secret_key})
    outside.context = replace(outside.context, settings=settings)
    with pytest.raises(CallbackNotFoundError):
        outside.call_back(seq, {"number": 1})


def test_an_aborted_process_takes_no_callback(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    abort_process(outside.context, OUTSIDE, engine.process(seq).process_id)
    with pytest.raises(ConflictError, match="aborted"):
        outside.call_back(seq, {"number": 1})


def test_a_process_that_awaits_a_callback_cannot_be_resumed_by_hand(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    with pytest.raises(ConflictError, match="awaiting_callback"):
        outside.resume(seq)


def test_nobody_calls_back_in_time(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside, timeout=0.1))
    sweep = Sweep(engine.url)
    engine.run(seq)
    assert engine.process(seq).due_at is not None
    threading.Event().wait(0.15)
    assert sweep.find(lambda: 0) == []

    failed = engine.process(seq)
    reason = "no callback came within the time limit of 0.1 seconds"
    assert (failed.status, failed.due_at) == ("failed", None)
    assert failed.failed_reason == f"Step 'Await callback' (order_it.await_callback): {reason}"
    last = engine.steps(seq)[-1]
    assert (last.key, last.status, last.error) == (
        "order_it.await_callback",
        "failed",
        {"class": "CallbackTimeLimitError", "error": reason, "traceback": ""},
    )
    with pytest.raises(ConflictError, match="failed"):
        outside.call_back(seq, {"number": 1})

    outside.resume(seq)
    engine.run(seq)
    assert engine.process(seq).status == "awaiting_callback"
    outside.call_back(seq, {"number": 2})
    engine.run(seq)
    assert engine.process(seq).state["seen"] == 2
    sweep.close()


def test_the_time_limit_does_not_strike_while_anything_is_paused(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside, timeout=0.01))
    sweep = Sweep(engine.url)
    engine.run(seq)
    threading.Event().wait(0.05)
    engine.change(seq, paused=True)
    sweep.find(lambda: 0)
    engine.change(seq, paused=False)
    engine.query("UPDATE engine_settings SET paused = true")
    sweep.find(lambda: 0)
    assert engine.process(seq).status == "awaiting_callback"
    engine.query("UPDATE engine_settings SET paused = false")
    sweep.find(lambda: 0)
    assert engine.process(seq).status == "failed"
    sweep.close()


def test_a_step_that_runs_again_is_handed_the_same_route(engine: EngineOnTest, outside: Outside) -> None:
    def ask(callback_route: str) -> None:
        outside.routes.append(callback_route)
        if len(outside.routes) == 1:
            raise RuntimeError(f"POST {{'url': 'http://me{callback_route}'}} failed")

    seq = engine.start(ordering(ask))
    engine.run(seq)
    assert engine.process(seq).status == "failed"
    outside.call_back(seq, {"number": 5})
    outside.resume(seq)
    engine.run(seq)
    assert outside.routes[0] == outside.routes[1]
    assert engine.process(seq).state["seen"] == 5


def test_the_token_is_stored_nowhere(engine: EngineOnTest, outside: Outside) -> None:
    class Refused(Exception):
        def __init__(self, route: str) -> None:
            super().__init__(f"{route} was refused")
            self.details = {"body": [route]}

    def ask(callback_route: str, state: State) -> State:
        outside.routes.append(callback_route)
        assert "callback_route" not in state
        if len(outside.routes) == 1:
            raise Refused(callback_route)
        return {"sent": {"to": callback_route}} if len(outside.routes) == 2 else {}

    seq = engine.start(ordering(ask), {"callback_route": "an old one"})
    for _ in range(2):
        engine.run(seq)
        outside.resume(seq)
    assert [row.error["class"] for row in engine.steps(seq) if row.error] == ["Refused", "StepResultError"]
    assert engine.steps(seq)[1].error["details"]["body"][0].endswith("/callback/(token)")
    assert "under 'sent'" in engine.steps(seq)[2].error["error"]
    engine.run(seq)
    outside.call_back(seq, {"number": 1})
    engine.run(seq)

    assert engine.process(seq).status == "completed"
    assert len(set(outside.routes)) == 1
    token = outside.routes[0].rpartition("/")[2]
    assert len(token) == 43
    stored = everything_stored(engine)
    assert "order_it.await_callback" in stored
    assert token not in stored


def test_progress_is_shown_until_the_callback_comes(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    assert outside.progress(seq) is None
    outside.tell(seq, {"percent": 10})
    assert outside.progress(seq) == {"percent": 10}
    outside.tell(seq, "nearly there")
    assert outside.progress(seq) == "nearly there"
    outside.call_back(seq, {"number": 1})
    assert outside.progress(seq) is None


def test_what_is_too_large_or_cannot_be_stored_is_refused(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    for body in ({"text": "x" * 2_000}, {"number": float("nan")}):
        with pytest.raises(UnstorableInputError):
            outside.call_back(seq, body)
    assert engine.process(seq).status == "awaiting_callback"


def test_a_paused_engine_takes_no_callback_and_a_paused_process_keeps_it(
    engine: EngineOnTest, outside: Outside
) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    engine.query("UPDATE engine_settings SET paused = true, reason = 'repairs'")
    with pytest.raises(EnginePausedError, match="repairs"):
        outside.call_back(seq, {"number": 1})
    engine.query("UPDATE engine_settings SET paused = false")

    engine.change(seq, paused=True)
    outside.call_back(seq, {"number": 2})
    assert outside.bell.rings == []
    assert engine.run(seq) == []
    engine.change(seq, paused=False)
    engine.run(seq)
    assert engine.process(seq).state["seen"] == 2


def test_a_lens_goes_around_all_three_steps(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside, around=focussteps("part")), {"part": {"kept": 1}})
    engine.run(seq)
    outside.call_back(seq, {"number": 3})
    engine.run(seq)
    part = {"kept": 1, "asked": True, "callback_result": {"number": 3}, "seen": 3}
    assert engine.process(seq).state == {"part": part}


def test_a_condition_that_does_not_hold_skips_all_three_steps(engine: EngineOnTest, outside: Outside) -> None:
    skipped = engine.start(asking(outside, around=conditional(lambda state: False)))
    engine.run(skipped)
    assert engine.process(skipped).status == "completed"
    assert [status for _, status in statuses(engine, skipped)] == ["skipped", "skipped", "skipped", "complete"]


def test_a_process_begun_again_behind_the_asking_step_says_so(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    engine.change(seq, generation=2, status="resumed")
    with pytest.raises(ConflictError, match="begun again"):
        outside.call_back(seq, {"number": 1})
    engine.run(seq)
    assert "nobody was handed the route" in str(engine.process(seq).failed_reason)


def test_a_version_without_a_step_that_waits_says_so(engine: EngineOnTest, outside: Outside) -> None:
    old = workflow("Order")(lambda_named_flow(step("Ask", key="ask")(lambda: None)))
    seq = engine.start(old, deployed=False)
    engine.catalog.add_workflow(asking(outside))
    engine.run(seq)
    assert "no step behind 'ask' that waits" in str(engine.process(seq).failed_reason)
    assert outside.routes == []


def lambda_named_flow(one: Any) -> Any:
    def flow() -> Any:
        return init >> one >> done

    return flow


def test_without_a_secret_key_nothing_that_waits_for_callbacks_starts(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    with pytest.raises(SettingsError, match="ORCHESTRATOR_SECRET_KEY is not set: the workflow 'flow'"):
        check_secret_key(engine.catalog, CallbackSigner())
    engine.run(seq, engine.runner(limits=replace(engine.limits, signer=CallbackSigner())))
    assert "ORCHESTRATOR_SECRET_KEY is not set" in str(engine.process(seq).failed_reason)
    assert engine.query("SELECT count(*) FROM callbacks") == [(0,)]
    assert "tests" not in repr(engine.limits)
