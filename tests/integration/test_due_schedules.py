"""What the clock does with schedules that are due: each due time once, whoever looks, and whatever gets in the way."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text

from orchestrator.language.vocabulary import Actor
from orchestrator.services.due_schedules import ONE_WAITS, STILL_RUNS, read_agenda, run_due, run_unblocked
from orchestrator.services.engine import set_engine_lock
from orchestrator.services.processes import abort_process
from orchestrator.services.schedule_plans import Wanted
from orchestrator.services.schedule_views import ScheduleRun, ScheduleView, schedule_detail
from orchestrator.services.schedules import (
    change_schedule,
    create_schedule,
    delete_schedule,
    pause_schedule,
    run_schedule,
)
from orchestrator.storage import schedule_statements
from orchestrator.storage.database import Database, libpq_url
from tests.integration.process_world import FAULTS, OPERATOR, World, process_world

ALICE = Actor("alice", ("noc",))
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
EVERY_MINUTE = Wanted("plain_task", name="often", every=60.0, overlap="allow")


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        made.query("DELETE FROM schedules")
        yield made


def made(world: World, wanted: Wanted = EVERY_MINUTE, actor: Actor = OPERATOR) -> UUID:
    return create_schedule(world.context, actor, wanted)


def make_due(world: World, schedule_id: UUID, seconds: float = 1) -> datetime:
    """Let its next due time, that is now to come, have been so long ago; the plan moves along."""
    ((due_at,),) = world.query(
        "UPDATE schedules SET due_at = now() - :seconds * interval '1 second', run_at = now() - :seconds * "
        "interval '1 second', start_at = CASE WHEN every IS NULL THEN start_at ELSE now() - :seconds * interval "
        "'1 second' END WHERE schedule_id = :id RETURNING due_at",
        id=schedule_id,
        seconds=seconds,
    )
    return due_at  # type: ignore[no-any-return]


def run(world: World, schedule_id: UUID, horizon: datetime = LONG_AGO) -> bool:
    return run_due(world.context, schedule_id, horizon)


def view(world: World, schedule_id: UUID) -> ScheduleView:
    return schedule_detail(world.context, schedule_id).schedule


def runs(world: World, schedule_id: UUID) -> list[ScheduleRun]:
    return list(reversed(schedule_detail(world.context, schedule_id).last_runs))


def outcomes(world: World, schedule_id: UUID) -> list[str]:
    return [one.outcome for one in runs(world, schedule_id)]


def processes(world: World) -> list[tuple[Any, ...]]:
    return world.query("SELECT process_id, status, created_by FROM processes ORDER BY seq")


def test_what_is_due_starts_once_in_the_name_of_the_owner(world: World) -> None:
    schedule_id = made(world, EVERY_MINUTE, ALICE)
    assert not run(world, schedule_id), "it is not due yet"
    due_at = make_due(world, schedule_id)
    assert read_agenda(world.context, 10).due == (schedule_id,)

    assert run(world, schedule_id)
    assert not run(world, schedule_id)
    ((process_id, status, created_by),) = processes(world)
    assert (status, created_by) == ("created", "schedule often (alice)")
    (one,) = runs(world, schedule_id)
    assert (one.due_at, one.outcome, one.process_id, one.missed_until) == (due_at, "started", process_id, None)
    assert view(world, schedule_id).next_due_at == due_at + timedelta(seconds=60)
    assert world.query("SELECT actor, action FROM audit WHERE process_id = :id", id=process_id) == [
        ("schedule often (alice)", "start")
    ]
    world.run()
    assert [status for _, status, _ in processes(world)] == ["completed"]


def test_what_was_missed_is_made_up_for_once(world: World) -> None:
    schedule_id = made(world)
    due_at = make_due(world, schedule_id, 600)

    assert run(world, schedule_id, datetime.now(UTC) - timedelta(seconds=3))
    assert not run(world, schedule_id, datetime.now(UTC) - timedelta(seconds=3))
    (one,) = runs(world, schedule_id)
    assert (one.due_at, one.outcome) == (due_at, "started")
    assert one.missed_until is not None
    assert one.missed_until > due_at + timedelta(seconds=590)
    next_due_at = view(world, schedule_id).next_due_at
    assert next_due_at is not None
    assert next_due_at > datetime.now(UTC)
    assert (next_due_at - due_at) % timedelta(seconds=60) == timedelta()


def test_what_somebody_watched_is_run_each_time_although_it_is_late(world: World) -> None:
    schedule_id = made(world)
    due_at = make_due(world, schedule_id, 150)

    assert [run(world, schedule_id, due_at) for _ in range(4)] == [True, True, True, False]
    assert [one.due_at for one in runs(world, schedule_id)] == [due_at + timedelta(seconds=60 * n) for n in range(3)]


def test_once_is_once_and_an_end_is_an_end(world: World) -> None:
    at = datetime.now(UTC) + timedelta(hours=1)
    once = made(world, Wanted("plain_task", at=at))
    ends = made(world, Wanted("plain_task", every=60.0, end_at=at))
    world.query("UPDATE schedules SET end_at = now() + interval '10 seconds' WHERE every IS NOT NULL")
    for schedule_id in (once, ends):
        make_due(world, schedule_id)
        world.query("UPDATE schedules SET at = due_at WHERE at IS NOT NULL AND due_at IS NOT NULL")
        assert run(world, schedule_id)
        assert view(world, schedule_id).next_run_at is None
        assert schedule_detail(world.context, schedule_id).next_runs == ()
    assert read_agenda(world.context, 10).due == ()


def test_two_clocks_at_the_same_due_time_start_one_process(world: World) -> None:
    schedule_ids = [made(world) for _ in range(20)]
    for schedule_id in schedule_ids:
        make_due(world, schedule_id)
    at_once = threading.Barrier(4)

    def clock(_: int) -> int:
        at_once.wait()
        return sum(run(world, schedule_id) for schedule_id in schedule_ids)

    with ThreadPoolExecutor(4) as clocks:
        done = sum(clocks.map(clock, range(4)))
    assert done == 20
    assert len(processes(world)) == 20
    assert world.query("SELECT count(*) FROM schedule_runs GROUP BY schedule_id, due_at HAVING count(*) > 1") == []


def test_a_clock_that_dies_before_its_commit_has_done_nothing(
    world: World, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule_id = made(world)
    due_at = make_due(world, schedule_id)
    advance = schedule_statements.advance

    def dies(session: Any, *arguments: Any) -> None:
        advance(session, *arguments)
        with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
            pid = session.scalar(text("SELECT pg_backend_pid()"))
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])

    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.services.due_schedules.advance", dies)
        with pytest.raises(Exception, match=r"terminat|closed"):
            run(world, schedule_id)
    assert (processes(world), runs(world, schedule_id), world.bell.rings) == ([], [], [])

    assert run(world, schedule_id)
    assert [one.due_at for one in runs(world, schedule_id)] == [due_at]
    assert len(processes(world)) == 1


def test_one_that_dies_after_its_commit_leaves_the_ring_to_the_sweep(world: World) -> None:
    schedule_id = made(world)
    make_due(world, schedule_id)
    assert run(world, schedule_id)
    world.bell.rings.clear()

    assert world.query("SELECT status, claim FROM processes") == [("created", None)], "what the sweep rings for"
    assert not run(world, schedule_id)


def test_a_schedule_that_somebody_changes_at_that_moment_is_left_to_the_next_look(
    world: World, database_url: str
) -> None:
    schedule_id = made(world)
    make_due(world, schedule_id)
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute("SELECT FROM schedules FOR UPDATE")
        assert not run(world, schedule_id)
    assert run(world, schedule_id)


@pytest.mark.parametrize("change", ["edit", "pause", "delete"])
def test_what_is_changed_between_the_look_and_the_lock_does_not_run(
    world: World, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    schedule_id = made(world)
    make_due(world, schedule_id)
    lock = schedule_statements.lock_schedule

    def changed_first(session: Any, locked: UUID) -> Any:
        match change:
            case "edit":
                change_schedule(world.context, OPERATOR, schedule_id, {"every": 7200.0})
            case "pause":
                pause_schedule(world.context, OPERATOR, schedule_id)
            case _:
                delete_schedule(world.context, OPERATOR, schedule_id)
        return lock(session, locked)

    monkeypatch.setattr("orchestrator.services.due_schedules.lock_schedule", changed_first)
    assert not run(world, schedule_id)
    assert processes(world) == []
    assert read_agenda(world.context, 10).due == ()


@pytest.mark.parametrize(("overlap", "outcome"), [("skip", "skipped"), ("queue", "queued"), ("allow", "started")])
def test_what_somebody_runs_between_the_look_and_the_lock_counts_as_under_way(
    world: World, monkeypatch: pytest.MonkeyPatch, overlap: str, outcome: str
) -> None:
    schedule_id = made(world, EVERY_MINUTE.changed({"overlap": overlap}))
    make_due(world, schedule_id)
    lock = schedule_statements.lock_schedule

    def run_first(session: Any, locked: UUID) -> Any:
        monkeypatch.setattr("orchestrator.services.due_schedules.lock_schedule", lock)
        run_schedule(world.context, OPERATOR, schedule_id)
        return lock(session, locked)

    monkeypatch.setattr("orchestrator.services.due_schedules.lock_schedule", run_first)
    while read_agenda(world.context, 10).due:
        run(world, schedule_id)
    assert outcomes(world, schedule_id) == ["started", outcome]


def test_a_waiting_run_goes_on_waiting_for_what_somebody_runs_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule_id = made(world, EVERY_MINUTE.changed({"overlap": "queue"}))
    make_due(world, schedule_id, 90)
    assert [run(world, schedule_id) for _ in range(2)] == [True, True]
    world.run()
    lock = schedule_statements.lock_schedule

    def run_first(session: Any, locked: UUID) -> Any:
        run_schedule(world.context, OPERATOR, schedule_id)
        return lock(session, locked)

    monkeypatch.setattr("orchestrator.services.due_schedules.lock_schedule", run_first)
    assert not run_unblocked(world.context, schedule_id)
    assert outcomes(world, schedule_id) == ["started", "queued", "started"]


def test_a_time_that_goes_backwards_runs_nothing_twice(world: World) -> None:
    schedule_id = made(world)
    due_at = make_due(world, schedule_id)
    assert run(world, schedule_id)
    # As if the clock of the database had been set back by a minute: the same due time comes again.
    world.query("UPDATE schedules SET due_at = :due, run_at = :due", due=due_at)

    assert run(world, schedule_id), "it moves on"
    assert len(processes(world)) == 1
    assert view(world, schedule_id).next_due_at == due_at + timedelta(seconds=60)


def test_skip_leaves_out_what_is_due_while_a_process_is_under_way(world: World) -> None:
    schedule_id = made(world, EVERY_MINUTE.changed({"overlap": "skip"}))
    make_due(world, schedule_id, 150)
    assert [run(world, schedule_id) for _ in range(3)] == [True, True, True]
    assert outcomes(world, schedule_id) == ["started", "skipped", "skipped"]
    assert runs(world, schedule_id)[1].reason == STILL_RUNS

    world.run()
    make_due(world, schedule_id)
    assert run(world, schedule_id)
    assert outcomes(world, schedule_id)[-1] == "started"


def test_a_failed_process_does_not_block_its_schedule(world: World) -> None:
    schedule_id = made(world, EVERY_MINUTE.changed({"overlap": "skip"}))
    FAULTS.append("not today")
    make_due(world, schedule_id)
    assert run(world, schedule_id)
    world.run()
    assert [status for _, status, _ in processes(world)] == ["failed"]

    make_due(world, schedule_id)
    assert run(world, schedule_id)
    assert outcomes(world, schedule_id) == ["started", "started"]


def test_queue_lets_one_run_wait_and_starts_it_when_the_one_before_has_ended(world: World) -> None:
    schedule_id = made(world, EVERY_MINUTE.changed({"overlap": "queue"}))
    make_due(world, schedule_id, 150)
    assert [run(world, schedule_id) for _ in range(3)] == [True, True, True]
    assert outcomes(world, schedule_id) == ["started", "queued", "skipped"]
    assert runs(world, schedule_id)[2].reason == ONE_WAITS
    assert read_agenda(world.context, 10).unblocked == ()
    assert not run_unblocked(world.context, schedule_id)

    world.run()
    assert read_agenda(world.context, 10).unblocked == (schedule_id,)
    assert [run_unblocked(world.context, schedule_id) for _ in range(2)] == [True, False]
    assert outcomes(world, schedule_id) == ["started", "started", "skipped"]
    assert len(processes(world)) == 2


def test_a_waiting_run_is_given_up_with_a_pause(world: World) -> None:
    schedule_id = made(world, EVERY_MINUTE.changed({"overlap": "queue"}))
    make_due(world, schedule_id, 90)
    assert [run(world, schedule_id) for _ in range(2)] == [True, True]
    pause_schedule(world.context, OPERATOR, schedule_id)
    world.run()

    assert read_agenda(world.context, 10).unblocked == ()
    assert outcomes(world, schedule_id) == ["started", "skipped"]
    assert "paused" in str(runs(world, schedule_id)[1].reason)


def test_while_the_engine_is_paused_what_is_due_waits(world: World) -> None:
    schedule_id = made(world)
    due_at = make_due(world, schedule_id, 300)
    set_engine_lock(world.context, OPERATOR, True, "maintenance")
    agenda = read_agenda(world.context, 10)
    assert (agenda.moment.is_open, agenda.due) == (False, ())
    assert not run(world, schedule_id), "paused after the look"
    assert runs(world, schedule_id) == []

    set_engine_lock(world.context, OPERATOR, False)
    assert run(world, schedule_id, datetime.now(UTC))
    assert [one.due_at for one in runs(world, schedule_id)] == [due_at]


def test_a_refusal_is_recorded_and_the_schedule_goes_on(world: World) -> None:
    subscription_id = world.subscription()
    pages = [{"subscription_id": str(subscription_id)}]
    schedule_id = made(world, EVERY_MINUTE.changed({"workflow_name": "modify_port", "pages": pages}))
    world.query("UPDATE subscriptions SET status = 'terminated'")
    make_due(world, schedule_id)

    assert run(world, schedule_id)
    (one,) = runs(world, schedule_id)
    assert one.outcome == "refused"
    assert "modify_port can run when it is active" in str(one.reason)
    assert processes(world) == []
    next_due_at = view(world, schedule_id).next_due_at
    assert next_due_at is not None
    assert next_due_at > datetime.now(UTC)

    world.query("UPDATE subscriptions SET status = 'active'")
    make_due(world, schedule_id)
    assert run(world, schedule_id)
    assert outcomes(world, schedule_id) == ["refused", "started"]


def test_authorizers_and_predicates_hold_for_schedules(world: World) -> None:
    guarded = made(world, EVERY_MINUTE.changed({"workflow_name": "guarded_task"}), ALICE)
    lonely = made(world, EVERY_MINUTE.changed({"workflow_name": "lonely_task"}))
    for schedule_id in (guarded, lonely):
        make_due(world, schedule_id)
        assert run(world, schedule_id)
    assert outcomes(world, guarded) == ["started"], "the owner may"
    assert [(one.outcome, one.reason) for one in runs(world, lonely)] == [("refused", "1 processes run")]

    world.query("UPDATE schedules SET owner = 'mallory'")
    make_due(world, guarded)
    assert run(world, guarded)
    assert runs(world, guarded)[-1].reason == "mallory may not start guarded_task"


def test_a_workflow_that_is_gone_or_broken_is_a_refusal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    gone, broken = made(world), made(world, EVERY_MINUTE.changed({"workflow_name": "lonely_task"}))
    world.query("UPDATE schedules SET workflow_name = 'has_no_code' WHERE schedule_id = :id", id=gone)

    def breaks(_: object) -> Any:
        raise ZeroDivisionError

    workflows = world.context.catalog._workflows
    monkeypatch.setitem(workflows, "lonely_task", replace(workflows["lonely_task"], run_predicate=breaks))
    for schedule_id, reason in ((gone, "no workflow 'has_no_code'"), (broken, "failed with ZeroDivisionError")):
        make_due(world, schedule_id)
        assert run(world, schedule_id)
        (one,) = runs(world, schedule_id)
        assert one.outcome == "refused"
        assert reason in str(one.reason)


def test_an_aborted_process_lets_the_next_run_begin(world: World) -> None:
    schedule_id = made(world, EVERY_MINUTE.changed({"overlap": "skip"}))
    make_due(world, schedule_id)
    assert run(world, schedule_id)
    ((process_id, _, _),) = processes(world)
    abort_process(world.context, OPERATOR, process_id)
    make_due(world, schedule_id)
    assert run(world, schedule_id)
    assert outcomes(world, schedule_id) == ["started", "started"]


def test_the_look_is_fast_with_a_thousand_schedules_due(world: World) -> None:
    schedule_id = made(world)
    world.query(
        "INSERT INTO schedules (schedule_id, name, workflow_name, pages, every, start_at, overlap, owner, created_by, "
        "due_at, run_at) SELECT gen_random_uuid(), 'one of many', 'plain_task', '[]', 60, now(), 'skip', 'operator', "
        "'operator', now(), now() FROM generate_series(1, 1000)"
    )
    world.query("ANALYZE schedules")
    begin = time.monotonic()
    agenda = read_agenda(world.context, 2_000)
    assert len(agenda.due) == 1000
    assert schedule_id not in agenda.due
    assert time.monotonic() - begin < 0.5
