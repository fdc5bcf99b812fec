"""Schedules: made, changed, paused, run now and deleted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from orchestrator.errors import (
    ConflictError,
    EnginePausedError,
    ForbiddenError,
    FormIncompleteError,
    FormInvalidError,
    InvalidScheduleError,
    ScheduleNotFoundError,
    StaleScheduleError,
    UnknownWorkflowError,
)
from orchestrator.language.vocabulary import Actor, SubscriptionLifecycle
from orchestrator.services.engine import set_engine_lock
from orchestrator.services.list_queries import ListQuery, read_filter
from orchestrator.services.schedule_plans import Wanted
from orchestrator.services.schedule_views import ScheduleDetail, list_runs, list_schedules, schedule_detail
from orchestrator.services.schedules import (
    change_schedule,
    create_schedule,
    delete_schedule,
    pause_schedule,
    run_schedule,
    unpause_schedule,
)
from orchestrator.storage.database import Database
from tests.integration.process_world import OPERATOR, World, process_world

ALICE = Actor("alice")
NIGHTLY = Wanted("plain_task", name="nightly", cron="0 3 * * *", time_zone="Europe/Amsterdam")


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        made.query("DELETE FROM schedules")
        yield made


def made(world: World, wanted: Wanted, actor: Actor = OPERATOR) -> UUID:
    return create_schedule(world.context, actor, wanted)


def shown(world: World, schedule_id: UUID) -> ScheduleDetail:
    return schedule_detail(world.context, schedule_id)


def actions(world: World) -> list[tuple[Any, ...]]:
    return world.query("SELECT actor, action FROM audit WHERE object_type = 'schedule' ORDER BY audit_id")


def test_a_schedule_is_shown_with_its_next_five_runs(world: World) -> None:
    detail = shown(world, made(world, NIGHTLY))

    one = detail.schedule
    assert (one.name, one.workflow_name, one.cron, one.time_zone) == (
        "nightly",
        "plain_task",
        "0 3 * * *",
        "Europe/Amsterdam",
    )
    assert (one.owner, one.created_by, one.version, one.paused, one.has_code) == (
        "operator",
        "operator",
        1,
        False,
        True,
    )
    assert len(detail.next_runs) == 5
    assert detail.next_runs[0].run_at == one.next_run_at
    assert [found.due_at for found in detail.next_runs] == sorted({found.due_at for found in detail.next_runs})
    assert detail.next_runs[0].due_at > datetime.now(UTC)
    assert detail.last_runs == ()
    assert actions(world) == [("operator", "create")]


def test_a_time_without_an_offset_is_one_of_the_time_zone(world: World) -> None:
    wanted = Wanted("plain_task", at=datetime(2099, 7, 1, 12), time_zone="Europe/Amsterdam")  # noqa: DTZ001

    one = shown(world, made(world, wanted)).schedule
    assert one.at == one.next_due_at == datetime(2099, 7, 1, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({}, "trigger", "none was given"),
        ({"cron": "0 0 * * *", "every": 60.0}, "every", "not cron and every"),
        ({"cron": "0 0 * *"}, "cron", "4 fields"),
        ({"cron": "0 0 * * *", "time_zone": "Mars/Crater"}, "time_zone", "no time zone"),
        ({"every": 0.5}, "every", "1 to"),
        ({"every": float("inf")}, "every", "1 to"),
        ({"at": datetime(2001, 1, 1, tzinfo=UTC)}, "at", "passed already"),
        ({"at": datetime(9999, 12, 31, 23)}, "at", "year"),  # noqa: DTZ001
        ({"every": 60.0, "jitter": 61.0}, "jitter", "0 to 60"),
        ({"cron": "0 0 * * *", "jitter": -1.0}, "jitter", "0 to 3600"),
        ({"cron": "* * * * *", "jitter": 61.0}, "jitter", "0 to 60"),
        ({"cron": "0,20 * * * *", "jitter": 1201.0}, "jitter", "0 to 1200"),
        ({"every": 60.0, "overlap": "perhaps"}, "overlap", "skip, queue, allow"),
        ({"every": 60.0, "end_at": datetime(2001, 1, 1, tzinfo=UTC)}, "end_at", "not after"),
        (
            {"every": 60.0, "start_at": datetime(2099, 1, 2, tzinfo=UTC), "end_at": datetime(2099, 1, 1, tzinfo=UTC)},
            "end_at",
            "not after",
        ),
        (
            {
                "cron": "0 0 1 6 *",
                "start_at": datetime(2099, 1, 1, tzinfo=UTC),
                "end_at": datetime(2099, 2, 1, tzinfo=UTC),
            },
            "cron",
            "never due",
        ),
        ({"every": 60.0, "name": " "}, "name", "characters"),
        ({"every": 60.0, "name": "x" * 201}, "name", "characters"),
    ],
)
def test_a_bad_field_is_named_and_nothing_is_made(
    world: World, fields: dict[str, Any], field: str, reason: str
) -> None:
    with pytest.raises(InvalidScheduleError, match=reason) as refused:
        made(world, Wanted("plain_task", **fields))
    assert refused.value.field == field
    assert world.query("SELECT count(*) FROM schedules") == [(0,)]


def test_the_workflow_has_to_be_there_and_to_let_the_actor_start_it(world: World) -> None:
    for name in ("nothing", "has_no_code"):
        with pytest.raises(UnknownWorkflowError):
            made(world, Wanted(name, every=60.0))
    guarded = Wanted("guarded_task", every=60.0)
    with pytest.raises(ForbiddenError):
        made(world, guarded)
    schedule_id = made(world, guarded, ALICE)

    for forbidden in (pause_schedule, delete_schedule, run_schedule):
        with pytest.raises(ForbiddenError):
            forbidden(world.context, OPERATOR, schedule_id)
    with pytest.raises(ForbiddenError):
        change_schedule(world.context, OPERATOR, schedule_id, {"every": 120.0})
    assert shown(world, schedule_id).schedule.owner == "alice"


def test_the_pages_are_checked_when_the_schedule_is_made(world: World) -> None:
    subscription_id = world.subscription()
    modify = Wanted("modify_port", every=60.0)
    with pytest.raises(FormIncompleteError) as asked:
        made(world, modify)
    assert "subscription_id" in str(asked.value.members["form"])
    with pytest.raises(FormInvalidError, match="There is no subscription"):
        made(world, modify.changed({"pages": [{"subscription_id": str(uuid4())}]}))
    terminated = world.subscription(SubscriptionLifecycle.TERMINATED)
    with pytest.raises(FormInvalidError, match="modify_port can run when it is active"):
        made(world, modify.changed({"pages": [{"subscription_id": str(terminated)}]}))

    wanted = modify.changed({"pages": [{"subscription_id": str(subscription_id), "version": 1}]})
    one = shown(world, made(world, wanted)).schedule
    assert one.user_inputs == [{"subscription_id": str(subscription_id)}], "the version would be an old one"
    assert (one.subscription_id, one.subscription_description) == (subscription_id, "A port")


def test_a_subscription_of_a_product_without_the_workflow_is_refused(world: World) -> None:
    subscription_id = world.subscription()
    world.query("DELETE FROM products_workflows")

    with pytest.raises(FormInvalidError, match="no workflow of the product of this subscription"):
        made(world, Wanted("modify_port", every=60.0, pages=[{"subscription_id": str(subscription_id)}]))


def test_a_change_counts_from_now_and_makes_its_author_the_owner(world: World) -> None:
    schedule_id = made(world, NIGHTLY)
    change_schedule(world.context, ALICE, schedule_id, {"every": 600.0, "overlap": "queue"}, version=1)

    one = shown(world, schedule_id).schedule
    assert (one.cron, one.every, one.overlap, one.version) == (None, 600.0, "queue", 2)
    assert (one.owner, one.created_by) == ("alice", "operator")
    assert one.next_due_at is not None
    assert timedelta() < one.next_due_at - datetime.now(UTC) <= timedelta(seconds=601)
    assert actions(world) == [("operator", "create"), ("alice", "change")]
    ((before, after),) = world.query("SELECT before, after FROM audit WHERE action = 'change'")
    assert (before["cron"], after["every"], "cron" in after) == ("0 3 * * *", 600.0, False)


def test_a_change_of_something_else_leaves_the_next_run_alone(world: World) -> None:
    schedule_id = made(world, Wanted("plain_task", every=3600.0))
    before = shown(world, schedule_id).schedule
    change_schedule(world.context, OPERATOR, schedule_id, {"name": "hourly", "overlap": "allow"})

    after = shown(world, schedule_id).schedule
    assert (after.name, after.next_due_at, after.start_at) == ("hourly", before.next_due_at, before.start_at)


def test_of_two_who_saw_the_same_version_one_changes_it(world: World) -> None:
    schedule_id = made(world, NIGHTLY)
    change_schedule(world.context, OPERATOR, schedule_id, {"name": "first"}, version=1)
    with pytest.raises(StaleScheduleError, match="has version 2 by now, not 1"):
        change_schedule(world.context, OPERATOR, schedule_id, {"name": "second"}, version=1)
    assert shown(world, schedule_id).schedule.name == "first"


def test_a_bad_change_changes_nothing(world: World) -> None:
    schedule_id = made(world, NIGHTLY)
    before = shown(world, schedule_id)
    for changes in ({"cron": "nonsense"}, {"cron": None}, {"workflow_name": "nothing"}, {"pages": [{"more": 1}]}):
        with pytest.raises(Exception, match=r"cron|nothing|page"):
            change_schedule(world.context, OPERATOR, schedule_id, changes)
    assert shown(world, schedule_id) == before


def test_a_paused_schedule_has_no_next_run_until_it_goes_on(world: World) -> None:
    schedule_id = made(world, NIGHTLY)
    pause_schedule(world.context, OPERATOR, schedule_id, "holidays")
    detail = shown(world, schedule_id)
    assert (detail.schedule.paused, detail.schedule.next_run_at, len(detail.next_runs)) == (True, None, 5)
    with pytest.raises(ConflictError, match="paused already"):
        pause_schedule(world.context, OPERATOR, schedule_id)

    world.query("UPDATE schedules SET due_at = now() - interval '1 day', run_at = now() - interval '1 day'")
    unpause_schedule(world.context, OPERATOR, schedule_id)
    next_run_at = shown(world, schedule_id).schedule.next_run_at
    assert next_run_at is not None
    assert next_run_at > datetime.now(UTC), "what was due meanwhile is not made up for"
    with pytest.raises(ConflictError, match="not paused"):
        unpause_schedule(world.context, OPERATOR, schedule_id)
    assert [action for _, action in actions(world)] == ["create", "pause", "unpause"]


def test_it_is_run_now_by_whoever_asks(world: World) -> None:
    schedule_id = made(world, NIGHTLY)
    pause_schedule(world.context, OPERATOR, schedule_id)
    process_id = run_schedule(world.context, ALICE, schedule_id).process_id
    world.run()

    assert world.query("SELECT status, created_by FROM processes WHERE process_id = :id", id=process_id) == [
        ("completed", "alice")
    ]
    (run,) = shown(world, schedule_id).last_runs
    assert (run.outcome, run.process_id, run.requested_by) == ("started", process_id, "alice")
    set_engine_lock(world.context, OPERATOR, True, "maintenance")
    with pytest.raises(EnginePausedError, match="maintenance"):
        run_schedule(world.context, ALICE, schedule_id)
    assert len(shown(world, schedule_id).last_runs) == 1


def test_a_schedule_is_deleted_with_its_runs_and_its_processes_stay(world: World) -> None:
    schedule_id = made(world, NIGHTLY)
    process_id = run_schedule(world.context, OPERATOR, schedule_id).process_id
    delete_schedule(world.context, OPERATOR, schedule_id)

    assert world.query("SELECT count(*) FROM schedule_runs") == [(0,)]
    assert world.query("SELECT process_id FROM processes") == [(process_id,)]
    for gone in (schedule_detail, lambda *_: delete_schedule(world.context, OPERATOR, schedule_id)):
        with pytest.raises(ScheduleNotFoundError):
            gone(world.context, schedule_id)
    assert [action for _, action in actions(world)] == ["create", "run", "delete"]


def test_a_schedule_whose_code_is_gone_can_be_paused_and_deleted(world: World) -> None:
    schedule_id = made(world, NIGHTLY)
    world.query("UPDATE schedules SET workflow_name = 'has_no_code'")

    assert not shown(world, schedule_id).schedule.has_code
    pause_schedule(world.context, OPERATOR, schedule_id)
    delete_schedule(world.context, OPERATOR, schedule_id)


def test_schedules_are_listed_with_their_last_run(world: World) -> None:
    first, second = made(world, NIGHTLY), made(world, Wanted("plain_task", every=60.0))
    started = [run_schedule(world.context, OPERATOR, first).process_id for _ in range(2)]

    page = list_schedules(world.context, ListQuery())
    assert [one.schedule_id for one in page.items] == [second, first]
    last = [None if one.last_run is None else one.last_run.process_id for one in page.items]
    assert last == [None, started[1]]
    filtered = list_schedules(world.context, ListQuery(read_filter("name,night,paused,false")))
    assert [one.schedule_id for one in filtered.items] == [first]
    runs = list_runs(world.context, first, ListQuery())
    assert [run.process_id for run in runs.items] == list(reversed(started))
    with pytest.raises(ScheduleNotFoundError):
        list_runs(world.context, uuid4(), ListQuery())
