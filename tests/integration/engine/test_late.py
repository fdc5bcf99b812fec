"""Time limits that strike while nobody runs the process: it waits for a person, an answer or a moment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from orchestrator.engine.sweep import Sweep
from orchestrator.language.actions import Retry
from orchestrator.language.callbacks import callback_step
from orchestrator.language.forms import FormPage
from orchestrator.language.step_list import Step, StepList
from orchestrator.language.steps import done, init, inputstep, step
from orchestrator.language.timers import sleep_for
from orchestrator.language.vocabulary import Target
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.services.moving import skip_step
from orchestrator.services.processes import resume_process
from orchestrator.storage.database import libpq_url
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.engine.outside_system import OUTSIDE, Outside

LIMIT = 600.0
TOLD = "the process did not end within its own time limit of 600 seconds; resumed, it has as long again"


@pytest.fixture
def sweep(engine: EngineOnTest) -> Iterator[Sweep]:
    made = Sweep(engine.url)
    yield made
    made.close()


@inputstep("Ask", assignee="NOC", key="wait")
def ask() -> type[FormPage]:
    return FormPage


@step("Fail", key="wait", retry=Retry(attempts=3, wait=3_600, jitter=0))
def fail() -> None:
    raise RuntimeError("not yet")


@step("Ask outside", key="ask_outside")
def ask_outside(callback_route: str) -> None:
    pass


@step("Look", key="look")
def look() -> None:
    pass


def callback() -> StepList:
    return callback_step("Order", ask_outside, look)


WAITS: dict[str, Callable[[], Step | StepList]] = {
    "suspended": lambda: ask,
    "waiting for retry": lambda: fail,
    "waiting for time": lambda: sleep_for(86_400, key="wait"),
    "awaiting_callback": callback,
}


def limited(kind: str) -> Workflow:
    """A workflow with a time limit of its own that comes to wait."""

    @workflow("Waits", time_limit=LIMIT)
    def waits() -> StepList:
        return init >> WAITS[kind]() >> done

    return waits


def age(engine: EngineOnTest, seq: int, seconds: float) -> None:
    """Let a process have begun so many seconds earlier."""
    seen = engine.process(seq)
    assert seen.limit_since is not None
    assert seen.expires_at is not None
    earlier = timedelta(seconds=seconds)
    engine.change(seq, limit_since=seen.limit_since - earlier, expires_at=seen.expires_at - earlier)


@pytest.mark.parametrize("kind", WAITS)
def test_a_process_fails_at_its_own_limit_whatever_it_waits_for(
    engine: EngineOnTest, sweep: Sweep, outside: Outside, kind: str
) -> None:
    seq = engine.start(limited(kind))
    engine.run(seq)
    age(engine, seq, LIMIT - 5)
    sweep.find(dict)
    assert engine.process(seq).status == kind.partition(" ")[0]

    age(engine, seq, 6)
    assert sweep.find(dict) == []
    failed = engine.process(seq)
    last = engine.steps(seq)[-1]
    assert (failed.status, failed.assignee, failed.due_at, failed.expires_at) == ("failed", "SYSTEM", None, None)
    assert failed.failed_reason == f"Step {last.name!r} ({last.key}): {TOLD}"
    assert (last.status, last.error["class"], last.error["error"]) == ("failed", "ProcessTimeLimitError", TOLD)
    assert last.key == failed.step_key

    # The next morning, it has as long again from when it goes on.
    outside.resume(seq)
    engine.run(seq)
    again = engine.process(seq)
    assert again.status == kind.partition(" ")[0]
    assert again.limit_since is not None
    assert again.limit_since > failed.last_modified_at
    sweep.find(dict)
    assert engine.process(seq).status == kind.partition(" ")[0]
    age(engine, seq, LIMIT + 1)
    sweep.find(dict)
    assert engine.process(seq).status == "failed"


def test_a_process_that_failed_has_its_whole_time_again_however_late_it_is_resumed(
    engine: EngineOnTest, outside: Outside
) -> None:
    failures = [RuntimeError("no")]

    @step("May fail", key="may_fail")
    def may_fail() -> None:
        if failures:
            raise failures.pop()

    @workflow("Limited", time_limit=LIMIT)
    def fails() -> StepList:
        return init >> may_fail >> done

    seq = engine.start(fails)
    engine.run(seq)
    assert engine.process(seq).status == "failed"
    engine.query("UPDATE processes SET started_at = started_at - interval '1 day'")
    outside.resume(seq)
    engine.run(seq)
    assert engine.process(seq).status == "completed"


@pytest.mark.parametrize("paused", ["process", "engine"])
def test_no_limit_strikes_while_anything_is_paused(engine: EngineOnTest, sweep: Sweep, paused: str) -> None:
    seq = engine.start(limited("suspended"))
    engine.run(seq)
    age(engine, seq, LIMIT + 1)
    statement = (
        "UPDATE processes SET paused = %(to)s" if paused == "process" else "UPDATE engine_settings SET paused = %(to)s"
    )
    engine.query(statement, to=True)
    sweep.find(dict)
    assert engine.process(seq).status == "suspended"
    engine.query(statement, to=False)
    sweep.find(dict)
    assert engine.process(seq).status == "failed"


def test_a_process_that_was_answered_in_time_is_not_struck(
    engine: EngineOnTest, sweep: Sweep, outside: Outside
) -> None:
    seq = engine.start(limited("waiting for retry"))
    engine.run(seq)
    outside.resume(seq)
    engine.query("UPDATE processes SET expires_at = now() - interval '1 hour'")
    sweep.find(dict)
    assert engine.process(seq).status == "resumed"


def test_one_that_cannot_be_failed_keeps_nobody_else_from_it(engine: EngineOnTest, sweep: Sweep) -> None:
    first, second = (engine.start(limited("suspended")) for _ in range(2))
    for seq in (first, second):
        engine.run(seq)
        age(engine, seq, LIMIT + 1)
    engine.query(f"ALTER TABLE process_steps ADD CHECK (process_seq <> {first} OR status <> 'failed') NOT VALID")
    sweep.find(dict)
    assert sweep.leads
    assert [engine.process(seq).status for seq in (first, second)] == ["suspended", "failed"]


def test_one_that_went_on_since_the_clock_looked_is_not_struck(engine: EngineOnTest, sweep: Sweep) -> None:
    first, second = (engine.start(limited("suspended")) for _ in range(2))
    for seq in (first, second):
        engine.run(seq)
        age(engine, seq, LIMIT + 1)
    # Somebody answers the second while the first is being failed, and it comes to ask for more.
    engine.query(
        "CREATE FUNCTION answer_second() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        f"UPDATE processes SET change_seq = change_seq + 5 WHERE seq = {second}; RETURN new; END $$"
    )
    engine.query(
        "CREATE TRIGGER answer_second AFTER INSERT ON process_steps FOR EACH ROW "
        f"WHEN (new.process_seq = {first}) EXECUTE FUNCTION answer_second()"
    )
    sweep.find(dict)
    assert [engine.process(seq).status for seq in (first, second)] == ["failed", "suspended"]


def test_a_process_that_has_ended_expires_no_more(engine: EngineOnTest, outside: Outside) -> None:
    @workflow("Ends with a question", time_limit=LIMIT)
    def ends_with_a_question() -> StepList:
        return init >> ask

    @workflow("Ends with an order", time_limit=LIMIT)
    def ends_with_an_order() -> StepList:
        return init >> WAITS["waiting for retry"]()

    answered, skipped = engine.start(ends_with_a_question), engine.start(ends_with_an_order)
    engine.run(answered)
    engine.run(skipped)
    resume_process(outside.context, OUTSIDE, engine.process(answered).process_id, [{}])
    skip_step(outside.context, OUTSIDE, engine.process(skipped).process_id, "done by hand")
    for seq in (answered, skipped):
        ended = engine.process(seq)
        assert (ended.status, ended.expires_at) == ("completed", None), "it would be looked at every second for ever"


def holder(engine: EngineOnTest, subscription: UUID) -> tuple[bool, UUID | None]:
    ((insync, held_by),) = engine.query(
        "SELECT insync, held_by FROM subscriptions WHERE subscription_id = %(id)s", id=subscription
    )
    return insync, held_by


def check_that_waits(engine: EngineOnTest, **options: Any) -> tuple[int, UUID]:
    """A process that checks a subscription, and waits for a callback past a time limit."""

    def order() -> StepList:
        return callback_step("Order", ask_outside, look, timeout=options.get("callback_seconds"))

    @workflow("Check", target=Target.VALIDATE, time_limit=options.get("process_seconds"))
    def check() -> StepList:
        return init >> order() >> done

    seq = engine.start(check)
    subscription = uuid4()
    engine.query(
        "INSERT INTO products (product_id, name, description, product_type, tag, status) "
        "VALUES (gen_random_uuid(), 'Port', '', 'Port', 'PORT', 'active') ON CONFLICT DO NOTHING"
    )
    engine.query(
        "INSERT INTO subscriptions (subscription_id, description, status, product_id, customer_id, insync, held_by) "
        "SELECT %(id)s, '', 'active', product_id, 'c', false, %(process)s FROM products",
        id=subscription,
        process=engine.process(seq).process_id,
    )
    engine.query(
        "INSERT INTO process_subscriptions (process_seq, subscription_id) VALUES (%(seq)s, %(id)s)",
        seq=seq,
        id=subscription,
    )
    engine.run(seq)
    assert engine.process(seq).status == "awaiting_callback"
    engine.query("UPDATE processes SET due_at = due_at - interval '1 day', expires_at = expires_at - interval '1 day'")
    return seq, subscription


@pytest.mark.parametrize("limit", ["callback_seconds", "process_seconds"])
def test_a_check_that_waits_too_long_gives_its_subscription_back_and_takes_it_again(
    engine: EngineOnTest, sweep: Sweep, outside: Outside, limit: str
) -> None:
    seq, subscription = check_that_waits(engine, **{limit: LIMIT})
    sweep.find(dict)
    assert engine.process(seq).status == "failed"
    assert holder(engine, subscription) == (True, None)
    assert engine.query("SELECT after, step_key FROM subscription_changes WHERE path = 'insync'") == [
        (True, "order.await_callback")
    ]
    outside.resume(seq)
    assert holder(engine, subscription) == (False, engine.process(seq).process_id)


def test_the_clock_does_not_wait_for_who_uses_the_subscription_of_a_late_check(
    engine: EngineOnTest, sweep: Sweep
) -> None:
    seq, subscription = check_that_waits(engine, callback_seconds=LIMIT)
    other = engine.start(limited("suspended"))
    engine.run(other)
    age(engine, other, LIMIT + 1)
    with psycopg.connect(libpq_url(engine.url)) as user:
        user.execute("UPDATE subscriptions SET note = 'in use' WHERE subscription_id = %s", [subscription])
        sweep.find(dict)
        assert sweep.leads
        assert (engine.process(seq).status, engine.process(other).status) == ("awaiting_callback", "failed")
    sweep.find(dict)
    assert engine.process(seq).status == "failed"
    assert holder(engine, subscription) == (True, None)
