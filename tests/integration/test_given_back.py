"""Nothing stays out of sync for ever: a check that fails gives its subscription back, and so does an abort."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest

from orchestrator.errors import ConflictError
from orchestrator.services.moving import skip_step
from orchestrator.services.process_views import process_detail
from orchestrator.services.processes import abort_process, resume_process, start_process
from orchestrator.storage.database import Database, libpq_url
from tests.integration.process_world import FAULTS, OPERATOR, World, process_world


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


def start(world: World, workflow: str, subscription_id: UUID) -> UUID:
    pages = [{"subscription_id": str(subscription_id)}]
    process_id = start_process(world.context, OPERATOR, workflow, pages).process_id
    world.run()
    return process_id


def failed_check(world: World, subscription_id: UUID) -> UUID:
    FAULTS.append("does not fit")
    return start(world, "validate_port", subscription_id)


def holder(world: World, subscription_id: UUID) -> tuple[bool, UUID | None]:
    ((insync, held_by),) = world.query(
        "SELECT insync, held_by FROM subscriptions WHERE subscription_id = :id", id=subscription_id
    )
    return insync, held_by


def insync_changes(world: World) -> list[tuple[bool, str | None, str]]:
    return [
        (after, key, by)
        for after, key, by in world.query(
            "SELECT after, step_key, changed_by FROM subscription_changes WHERE path = 'insync' ORDER BY change_id"
        )
    ]


@pytest.mark.parametrize("target", ["SYSTEM", "VALIDATE"])
def test_a_check_that_fails_gives_its_subscription_back_and_takes_it_again(world: World, target: str) -> None:
    world.query("UPDATE workflows SET target = :target, is_task = true WHERE name = 'validate_port'", target=target)
    port = world.subscription()
    process_id = failed_check(world, port)
    assert process_detail(world.context, process_id).process.last_status == "failed"
    assert holder(world, port) == (True, None)

    resume_process(world.context, OPERATOR, process_id)
    assert holder(world, port) == (False, process_id)
    FAULTS.append("still not")
    world.run()
    assert holder(world, port) == (True, None)
    resume_process(world.context, OPERATOR, process_id)
    world.run()
    assert process_detail(world.context, process_id).process.last_status == "completed"
    assert holder(world, port) == (True, None)
    assert insync_changes(world)[1:] == [
        (False, "unsync_unchecked", "operator"),
        (True, "may_fail", "operator"),
        (False, "may_fail", "operator"),
        (True, "may_fail", "operator"),
        (False, "may_fail", "operator"),
        (True, "resync", "operator"),
    ]


def test_a_check_that_goes_on_leaves_a_subscription_to_who_took_it_meanwhile(world: World) -> None:
    port = world.subscription()
    check = failed_check(world, port)
    change = start(world, "modify_port", port)
    assert holder(world, port) == (False, change)
    resume_process(world.context, OPERATOR, check)
    assert holder(world, port) == (False, change)
    world.run()
    assert process_detail(world.context, check).process.last_status == "completed"
    assert holder(world, port) == (False, change)


def test_a_check_beside_a_change_gives_nothing_back_that_it_does_not_hold(world: World) -> None:
    port = world.subscription()
    change = start(world, "modify_port", port)
    failed_check(world, port)
    assert holder(world, port) == (False, change)


def test_a_change_that_fails_keeps_its_subscription(world: World) -> None:
    port = world.subscription()
    FAULTS.append("half way")
    process_id = start(world, "terminate_port", port)
    assert process_detail(world.context, process_id).process.last_status == "failed"
    assert holder(world, port) == (False, process_id)


def test_a_check_that_waits_to_be_tried_again_keeps_its_subscription(world: World) -> None:
    port = world.subscription()
    process_id = failed_check(world, port)
    resume_process(world.context, OPERATOR, process_id)
    world.query("UPDATE processes SET status = 'waiting', waiting_for = 'retry'")
    assert holder(world, port) == (False, process_id)


def test_an_abort_releases_the_subscription_when_it_is_asked_to(world: World) -> None:
    kept, released = world.subscription(), world.subscription()
    keeping, releasing = start(world, "modify_port", kept), start(world, "modify_port", released)
    abort_process(world.context, OPERATOR, keeping)
    abort_process(world.context, OPERATOR, releasing, "a mistake", release_subscription=True, request_id="r3")
    assert holder(world, kept) == (False, keeping)
    assert holder(world, released) == (True, None)
    assert insync_changes(world)[-1] == (True, "abort", "operator")
    told = "SELECT action, subscription_id, reason, request_id FROM audit WHERE process_id = :id AND action <> 'start'"
    assert world.query(told, id=releasing) == [
        ("abort", None, "a mistake", "r3"),
        ("set in sync", released, "a mistake", "r3"),
    ]
    assert start(world, "modify_port", released)


def test_an_abort_of_a_process_that_holds_nothing_releases_nothing(world: World) -> None:
    port = world.subscription()
    change = start(world, "modify_port", port)
    check = failed_check(world, port)
    abort_process(world.context, OPERATOR, check, release_subscription=True)
    assert holder(world, port) == (False, change)


def test_a_release_does_not_wait_for_a_step_that_writes_to_the_subscription(world: World, database_url: str) -> None:
    port = world.subscription()
    process_id = start(world, "modify_port", port)
    with psycopg.connect(libpq_url(database_url)) as step:
        step.execute("UPDATE subscriptions SET note = 'written by a step' WHERE subscription_id = %s", [port])
        with pytest.raises(ConflictError, match="at this moment"):
            abort_process(world.context, OPERATOR, process_id, release_subscription=True)
        abort_process(world.context, OPERATOR, process_id)
    assert holder(world, port) == (False, process_id)


def fail_its_step(world: World, process_id: UUID) -> None:
    world.run()


def skip(world: World, process_id: UUID) -> None:
    skip_step(world.context, OPERATOR, process_id, "known")


def resume(world: World, process_id: UUID) -> None:
    resume_process(world.context, OPERATOR, process_id)


@pytest.mark.parametrize("act", [fail_its_step, skip, resume])
def test_who_waits_for_a_subscription_has_not_locked_its_process(
    world: World, database_url: str, act: Callable[[World, UUID], None]
) -> None:
    """As steps that write to it do: in another order two of them would wait for each other."""
    port = world.subscription()
    process_id = failed_check(world, port)
    if act is fail_its_step:
        resume(world, process_id)
        FAULTS.append("does not fit either")
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid' AND datname = current_database()"
    with ThreadPoolExecutor(1) as pool, psycopg.connect(libpq_url(database_url)) as writer:
        writer.execute("UPDATE subscriptions SET note = 'in use' WHERE subscription_id = %s", [port])
        acting = pool.submit(act, world, process_id)
        give_up = time.monotonic() + 20
        while world.query(waits) != [(1,)] and time.monotonic() < give_up:
            time.sleep(0.01)
        assert world.query(waits) == [(1,)]
        writer.execute("SELECT FROM processes WHERE process_id = %s FOR NO KEY UPDATE NOWAIT", [process_id])
        writer.commit()
        acting.result(20)
    expected = (True, None) if act is fail_its_step else (False, process_id)
    assert holder(world, port) == expected
