"""Going on with processes: input, retries, aborts, notes, and what is shown of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from orchestrator.errors import (
    ConflictError,
    EnginePausedError,
    ForbiddenError,
    FormIncompleteError,
    FormInvalidError,
    FormOverflowError,
    InvalidInputError,
    NotATaskError,
    NotDeployedError,
    ProcessNotFoundError,
)
from orchestrator.language.catalog import Catalog
from orchestrator.language.vocabulary import Actor
from orchestrator.services.list_queries import Condition, ListQuery, NumberedPage, Order
from orchestrator.services.process_views import ProcessDetail, list_processes, process_detail
from orchestrator.services.processes import (
    abort_process,
    delete_task,
    resume_process,
    set_note,
    start_process,
    status_counts,
)
from orchestrator.storage.database import Database
from tests.integration.process_world import ASKED, FAULTS, OPERATOR, World, process_world, unknown_id

NAME = {"name": "the end", "size": 1}


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


def start(world: World, workflow: str, pages: Any = None, actor: Actor = OPERATOR) -> UUID:
    """Start and run until it stops."""
    started = start_process(world.context, actor, workflow, pages)
    world.run()
    return started.process_id


def modify(world: World) -> UUID:
    """A process that waits for a colour."""
    return start(world, "modify_port", [{"subscription_id": str(world.subscription())}])


def failed_task(world: World, fault: str = "not today") -> UUID:
    FAULTS.append(fault)
    return start(world, "plain_task")


def steps(detail: ProcessDetail) -> list[tuple[str, str]]:
    return [(step.key, step.status) for step in detail.steps]


def test_a_step_that_waits_for_a_retry_says_when_and_how_often_and_an_operator_has_it_run_now(world: World) -> None:
    FAULTS.extend(["first", "second"])
    process_id = start(world, "retried_task")
    waiting = process_detail(world.context, process_id)
    assert (waiting.process.last_status, waiting.process.waiting_for) == ("waiting", "retry")
    assert waiting.process.due_at is not None
    assert (waiting.tries, waiting.most_tries) == (1, 3)
    assert waiting.process.failed_reason == "Step 'Asks again' (asks_again): first"

    resume_process(world.context, OPERATOR, process_id)
    world.run()
    again = process_detail(world.context, process_id)
    assert (again.process.last_status, again.tries, again.most_tries) == ("waiting", 2, 3)
    assert [step.error["error"] for step in again.steps if step.error] == ["first", "second"]

    resume_process(world.context, OPERATOR, process_id)
    world.run()
    asleep = process_detail(world.context, process_id)
    assert (asleep.process.last_status, asleep.process.waiting_for) == ("waiting", "time")
    assert (asleep.tries, asleep.most_tries, asleep.process.failed_reason) == (None, None, None)
    assert steps(asleep)[-2:] == [("sleep_for", "waiting"), ("done", "pending")]

    resume_process(world.context, OPERATOR, process_id)
    world.run()
    assert process_detail(world.context, process_id).process.last_status == "completed"


def test_a_step_whose_tries_run_out_has_failed_and_a_resume_gives_it_all_of_them_again(world: World) -> None:
    FAULTS.extend(["first", "second", "third", "fourth"])
    process_id = start(world, "retried_task")
    for _ in range(2):
        resume_process(world.context, OPERATOR, process_id)
        world.run()
    failed = process_detail(world.context, process_id)
    assert (failed.process.last_status, failed.process.failed_reason, failed.tries) == (
        "failed",
        "Step 'Asks again' (asks_again): third",
        None,
    )
    resume_process(world.context, OPERATOR, process_id)
    world.run()
    waiting = process_detail(world.context, process_id)
    assert (waiting.process.last_status, waiting.tries) == ("waiting", 1)


def test_an_input_step_takes_its_form_once_and_its_delta_is_what_was_entered(world: World) -> None:
    process_id = modify(world)
    before = process_detail(world.context, process_id)
    assert (before.process.last_status, before.process.assignee) == ("suspended", "NOC")
    assert before.form is not None
    assert before.form["properties"]["colour"]["default"] == "A port"
    with pytest.raises(FormIncompleteError) as incomplete:
        resume_process(world.context, OPERATOR, process_id)
    assert incomplete.value.members == {"form": before.form, "meta": {"hasNext": False}}
    with pytest.raises(FormInvalidError):
        resume_process(world.context, OPERATOR, process_id, [{"color": "red"}])
    with pytest.raises(FormOverflowError):
        resume_process(world.context, OPERATOR, process_id, [{"colour": "red"}, {}])

    resume_process(world.context, OPERATOR, process_id, [{"colour": "red"}], reporter="eve", request_id="r2")
    waiting = process_detail(world.context, process_id)
    assert (waiting.process.last_status, waiting.process.assignee, waiting.form) == ("resumed", "SYSTEM", None)
    assert waiting.current_state["colour"] == "red"
    answered = waiting.steps[4]
    assert (answered.key, answered.status, answered.state_delta, answered.created_by) == (
        "ask_colour",
        "success",
        {"colour": "red"},
        "eve",
    )
    assert world.query("SELECT step_key, pages, created_by FROM process_inputs ORDER BY input_id DESC LIMIT 1") == [
        ("ask_colour", [{"colour": "red"}], "eve")
    ]
    assert world.query("SELECT actor, action, request_id FROM audit WHERE action = 'resume'") == [
        ("operator", "resume", "r2")
    ]
    assert [ring.step_key for ring in world.bell.rings] == ["may_fail"]
    world.run()
    done = process_detail(world.context, process_id)
    assert done.process.last_status == "completed"
    assert steps(done) == [
        ("start", "success"),
        ("store_process_subscription", "success"),
        ("unsync", "success"),
        ("ask_colour", "suspend"),
        ("ask_colour", "success"),
        ("may_fail", "success"),
        ("resync", "success"),
        ("done", "complete"),
    ]
    with pytest.raises(ConflictError, match="completed"):
        resume_process(world.context, OPERATOR, process_id)


def test_an_input_step_at_the_end_and_in_a_lens_completes_the_process(world: World) -> None:
    process_id = start(world, "ends_with_input", [NAME])
    page = {"name": "two words"}
    with pytest.raises(FormIncompleteError) as incomplete:
        resume_process(world.context, OPERATOR, process_id, [page])
    assert "sure" in incomplete.value.members["form"]["properties"]
    resume_process(world.context, OPERATOR, process_id, [page, {"sure": True}])
    detail = process_detail(world.context, process_id)
    assert detail.process.last_status == "completed"
    inner = {"first": "one", "end": "two words", "sure": True, "from": "one"}
    assert detail.current_state["inner"] == inner
    assert detail.steps[-1].state_delta == {"inner": inner}
    assert detail.steps[-1].status == "complete"
    assert world.bell.rings == []


def test_a_failed_step_is_shown_with_its_error_and_runs_again_after_a_resume(world: World) -> None:
    process_id = failed_task(world)
    failed = process_detail(world.context, process_id)
    assert failed.process.last_status == "failed"
    assert str(failed.process.failed_reason).endswith("not today")
    assert "may_fail" in str(failed.traceback)
    assert steps(failed) == [("start", "success"), ("may_fail", "failed"), ("done", "pending")]
    assert failed.steps[1].error["class"] == "RuntimeError"
    assert failed.steps[1].error["error"] == "not today"
    assert failed.steps[1].worker == "test"
    with pytest.raises(FormInvalidError):
        resume_process(world.context, OPERATOR, process_id, [{"more": 1}])

    resume_process(world.context, OPERATOR, process_id, [{}])
    resumed = process_detail(world.context, process_id)
    assert (resumed.process.last_status, resumed.process.failed_reason, resumed.traceback) == ("resumed", None, None)
    assert steps(resumed)[2:] == [("may_fail", "pending"), ("done", "pending")]
    with pytest.raises(ConflictError, match="resumed"):
        resume_process(world.context, OPERATOR, process_id)
    world.run()
    assert process_detail(world.context, process_id).process.last_status == "completed"


def at_once(world: World, number: int, action: Callable[[], None]) -> list[str]:
    """Do something to processes several times at the same moment; "done" or the name of the error, for each.

    All have looked at the process before the first may change it.
    """

    def attempt() -> str:
        try:
            action()
        except ConflictError:
            return "conflict"
        return "done"

    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    with ThreadPoolExecutor(number) as pool, world.context.database.engine.connect() as holder:
        holder.exec_driver_sql("SELECT FROM processes FOR UPDATE")
        attempts = [pool.submit(attempt) for _ in range(number)]
        deadline = time.monotonic() + 20
        while world.query(waiting) != [(number,)] and time.monotonic() < deadline:
            time.sleep(0.01)
        assert world.query(waiting) == [(number,)]
        holder.rollback()
        return sorted(one.result() for one in attempts)


@pytest.mark.parametrize("suspended", [True, False], ids=["input", "retry"])
def test_of_many_resumes_at_once_one_succeeds_and_the_step_runs_once(world: World, suspended: bool) -> None:
    process_id = modify(world) if suspended else failed_task(world)
    pages = [{"colour": "red"}] if suspended else []
    outcome = at_once(world, 6, lambda: resume_process(world.context, OPERATOR, process_id, pages))
    assert outcome == ["conflict"] * 5 + ["done"]
    assert len(world.bell.rings) == 1
    world.run()
    detail = process_detail(world.context, process_id)
    assert detail.process.last_status == "completed"
    assert len([step for step in detail.steps if (step.key, step.status) == ("may_fail", "success")]) == 1
    assert world.query("SELECT count(*) FROM audit WHERE action = 'resume'") == [(1,)]


def test_a_process_that_failed_again_since_it_was_looked_at_is_not_resumed(world: World) -> None:
    process_id = failed_task(world)
    world.bell.rings.clear()
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid' AND datname = current_database()"
    with ThreadPoolExecutor(1) as pool, world.context.database.transaction("tests") as session:
        session.execute(text("UPDATE processes SET change_seq = change_seq + 2"))
        resuming = pool.submit(resume_process, world.context, OPERATOR, process_id)
        give_up = time.monotonic() + 20
        while world.query(waits) != [(1,)] and time.monotonic() < give_up:
            time.sleep(0.01)
        session.commit()
        with pytest.raises(ConflictError, match="changed by somebody else"):
            resuming.result(20)
    assert process_detail(world.context, process_id).process.last_status == "failed"
    assert world.bell.rings == []


def test_resuming_asks_the_authorizer_of_the_step(world: World) -> None:
    process_id = start(world, "guarded_task", actor=Actor("alice"))
    with pytest.raises(ForbiddenError, match="alice may not retry guarded_task at its step 'Fails'"):
        resume_process(world.context, Actor("alice"), process_id)
    resume_process(world.context, Actor("bob"), process_id)
    with pytest.raises(ForbiddenError, match="bob may not abort"):
        abort_process(world.context, Actor("bob"), process_id)
    assert [(asked.action, asked.step) for asked in ASKED] == [("start_workflow", None), ("abort_workflow", "Fails")]
    abort_process(world.context, Actor("alice"), process_id)


def test_nothing_is_resumed_while_the_engine_is_paused_but_abort_works(world: World) -> None:
    process_id = failed_task(world)
    world.query("UPDATE engine_settings SET paused = true")
    with pytest.raises(EnginePausedError):
        resume_process(world.context, OPERATOR, process_id)
    abort_process(world.context, OPERATOR, process_id)


def test_a_process_whose_code_is_gone_is_shown_and_aborted_but_not_resumed(world: World) -> None:
    process_id = modify(world)
    elsewhere = replace(world.context, catalog=Catalog())
    with pytest.raises(NotDeployedError, match="modify_port"):
        resume_process(elsewhere, OPERATOR, process_id, [{"colour": "red"}])
    detail = process_detail(elsewhere, process_id)
    assert (detail.process.last_status, detail.form) == ("suspended", None)
    abort_process(elsewhere, OPERATOR, process_id)


def test_a_running_step_is_shown_and_an_abort_ends_it_at_once(world: World) -> None:
    started = start_process(world.context, OPERATOR, "plain_task")
    world.query("UPDATE processes SET status = 'running', claim = gen_random_uuid(), claimed_at = now(), attempt = 1, "
                "claimed_by = 'w1'")  # fmt: skip
    running = process_detail(world.context, started.process_id)
    assert steps(running) == [("start", "running"), ("may_fail", "pending"), ("done", "pending")]
    assert (running.steps[0].worker, running.steps[0].attempt, running.steps[0].step_id) == ("w1", 1, None)
    assert running.steps[0].started is not None
    with pytest.raises(ConflictError, match="running"):
        resume_process(world.context, OPERATOR, started.process_id)

    abort_process(world.context, OPERATOR, started.process_id, "wrong port", reporter="eve")
    aborted = process_detail(world.context, started.process_id)
    assert (aborted.process.last_status, aborted.process.failed_reason, aborted.process.last_step) == (
        "aborted",
        "wrong port",
        "User Aborted",
    )
    assert steps(aborted) == [("abort", "abort")]
    assert (aborted.steps[0].created_by, aborted.steps[0].error["error"]) == ("eve", "wrong port")
    assert world.query("SELECT claim FROM processes") == [(None,)]
    assert world.query("SELECT actor, reason, before FROM audit WHERE action = 'abort'") == [
        ("operator", "wrong port", {"status": "running", "step": "start"})
    ]
    for again in (lambda: abort_process(world.context, OPERATOR, started.process_id),
                  lambda: resume_process(world.context, OPERATOR, started.process_id)):  # fmt: skip
        with pytest.raises(ConflictError, match="aborted"):
            again()
    world.run()
    assert process_detail(world.context, started.process_id).process.last_status == "aborted"


def test_of_two_aborts_at_once_one_succeeds(world: World) -> None:
    process_id = failed_task(world)
    assert at_once(world, 4, lambda: abort_process(world.context, OPERATOR, process_id)) == ["conflict"] * 3 + ["done"]
    assert world.query("SELECT count(*) FROM process_steps WHERE status = 'abort'") == [(1,)]


def test_an_aborted_process_leaves_its_subscription_out_of_sync(world: World) -> None:
    process_id = modify(world)
    abort_process(world.context, OPERATOR, process_id)
    assert world.query("SELECT insync, held_by FROM subscriptions") == [(False, process_id)]


def test_a_note_is_set_and_removed_with_its_history(world: World) -> None:
    process_id = failed_task(world)
    set_note(world.context, OPERATOR, process_id, "look at this")
    set_note(world.context, OPERATOR, process_id, "look at this")
    assert process_detail(world.context, process_id).process.note == "look at this"
    set_note(world.context, OPERATOR, process_id, None)
    assert process_detail(world.context, process_id).process.note is None
    assert world.query("SELECT before->>'note', after->>'note' FROM audit WHERE action = 'set note'") == [
        (None, "look at this"),
        ("look at this", None),
    ]
    for note in ("x" * 5001, "a\x00b", "\ud800"):
        with pytest.raises(InvalidInputError, match="note"):
            set_note(world.context, OPERATOR, process_id, note)


def test_only_tasks_that_have_ended_are_deleted(world: World) -> None:
    with pytest.raises(NotATaskError, match="modify_port"):
        delete_task(world.context, OPERATOR, modify(world))
    process_id = failed_task(world)
    with pytest.raises(ConflictError, match="abort it"):
        delete_task(world.context, OPERATOR, process_id)
    abort_process(world.context, OPERATOR, process_id)
    delete_task(world.context, OPERATOR, process_id)
    with pytest.raises(ProcessNotFoundError):
        process_detail(world.context, process_id)
    assert world.query("SELECT count(*) FROM process_steps WHERE key = 'abort'") == [(0,)]
    assert world.query("SELECT count(*) FROM audit WHERE process_id = :id", id=process_id) == [(3,)]


def test_an_unknown_process_is_not_found(world: World) -> None:
    for action in (resume_process, abort_process, delete_task, lambda *given: set_note(*given, "note")):
        with pytest.raises(ProcessNotFoundError, match="no process"):
            action(world.context, OPERATOR, unknown_id())


def test_processes_are_listed_filtered_sorted_and_counted(world: World) -> None:
    modified = modify(world)
    failed = failed_task(world)
    done = start(world, "plain_task")

    def ids(*conditions: tuple[str, str], order: tuple[Order, ...] = ()) -> list[UUID]:
        query = ListQuery(tuple(Condition(*one) for one in conditions), order)
        return [process.process_id for process in list_processes(world.context, query).items]

    assert ids() == [done, failed, modified]
    assert ids(order=(Order("started_at"),)) == [modified, failed, done]
    assert ids(order=(Order("workflow_name", descending=True),))[-1] == modified
    assert ids(("last_status", "failed|suspended")) == [failed, modified]
    assert ids(("is_task", "false")) == [modified]
    assert ids(("product", "port")) == [modified]
    assert ids(("customer", "!customer-1")) == [done, failed]
    assert ids(("target", "MODIFY"), ("workflow_name", "modify")) == [modified]
    assert ids(("failed_reason", "not TODAY")) == [failed]

    page = list_processes(world.context, ListQuery(part=NumberedPage(1, 2)))
    assert (page.total, len(page.items), page.next_cursor is None) == (3, 2, False)
    found = list_processes(world.context, ListQuery((Condition("is_task", "false"),))).items[0]
    assert (found.product_id, found.customer_id) == (world.product_id, "customer-1")
    subscription = found.subscriptions[0]
    assert ids(("subscription_id", str(subscription.subscription_id))) == [modified]

    counts = status_counts(world.context)
    assert counts.process_counts == {"suspended": 1}
    assert counts.task_counts == {"failed": 1, "completed": 1}
