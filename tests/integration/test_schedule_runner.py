"""The part of the clock that runs schedules: it never waits, and nothing that is slow or fails holds up the rest."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from orchestrator.language.admission import RunPredicatePass
from orchestrator.services.engine import set_engine_lock
from orchestrator.services.schedule_plans import Wanted
from orchestrator.services.schedules import create_schedule
from orchestrator.storage.database import Database, build_engine
from orchestrator.tasks.schedule_runner import ScheduleRunner
from tests.integration.process_world import OPERATOR, World, process_world

LONGEST_TICK = 0.5


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        made.query("DELETE FROM schedules")
        yield made


@pytest.fixture
def new_runner(world: World, database_url: str) -> Iterator[Callable[[], ScheduleRunner]]:
    """A runner as a clock has it, with connections of its own."""
    made: list[tuple[ScheduleRunner, Database]] = []

    def create() -> ScheduleRunner:
        database = Database(build_engine(database_url, application_name="orchestrator schedules"))
        runner = ScheduleRunner(replace(world.context, database=database))
        made.append((runner, database))
        return runner

    yield create
    for runner, database in made:
        runner.close()
        for pool in (runner._looker, runner._starters):
            if pool is not None:
                pool.shutdown()  # what is under way gives its connection back first
        database.dispose()


def many(world: World, count: int) -> None:
    world.query(
        "INSERT INTO schedules (schedule_id, name, workflow_name, pages, every, start_at, overlap, owner, created_by, "
        "due_at, run_at) SELECT gen_random_uuid(), 'one of many', 'plain_task', '[]', 3600, now(), 'skip', 'operator', "
        "'operator', now(), now() FROM generate_series(1, :count)",
        count=count,
    )


def tick_until(runners: list[ScheduleRunner], done: Callable[[], object], seconds: float = 60) -> float:
    """Tick as clocks do, the first leading; the longest tick."""
    deadline, longest = time.monotonic() + seconds, 0.0
    while not done():
        assert time.monotonic() < deadline, "it did not come"
        for number, runner in enumerate(runners):
            begin = time.monotonic()
            runner.tick(leads=number == 0)
            longest = max(longest, time.monotonic() - begin)
        time.sleep(0.1)
    return longest


def count(world: World, table: str = "processes") -> int:
    return int(world.query(f"SELECT count(*) FROM {table}")[0][0])


def test_many_that_are_due_at_once_start_once_each_and_no_tick_is_slow(
    world: World, new_runner: Callable[[], ScheduleRunner]
) -> None:
    many(world, 200)
    # Two leaders at once, as when one does not know yet that it leads no longer.
    runners = [new_runner(), new_runner()]
    longest = 0.0
    while count(world) < 200:
        for runner in runners:
            begin = time.monotonic()
            runner.tick(leads=True)
            longest = max(longest, time.monotonic() - begin)
        time.sleep(0.1)
    assert longest < LONGEST_TICK
    time.sleep(0.5)
    assert (count(world), count(world, "schedule_runs")) == (200, 200)


@pytest.mark.slow
def test_a_thousand_that_are_due_at_once(world: World, new_runner: Callable[[], ScheduleRunner]) -> None:
    many(world, 1000)
    assert tick_until([new_runner()], lambda: count(world) == 1000, 300) < LONGEST_TICK


def test_one_that_stands_by_starts_nothing(world: World, new_runner: Callable[[], ScheduleRunner]) -> None:
    many(world, 3)
    standby = new_runner()
    for _ in range(5):
        standby.tick(leads=False)
        time.sleep(0.1)
    assert count(world, "schedule_runs") == 0
    tick_until([standby], lambda: count(world) == 3)
    assert world.query("SELECT DISTINCT missed_until FROM schedule_runs") == [(None,)], "it had looked"


def test_a_start_that_hangs_holds_up_neither_the_tick_nor_other_schedules(
    world: World, new_runner: Callable[[], ScheduleRunner]
) -> None:
    released = threading.Event()

    def hangs(_: object) -> Any:
        released.wait(30)
        return RunPredicatePass()

    workflows = world.context.catalog._workflows
    workflows["lonely_task"] = replace(workflows["lonely_task"], run_predicate=hangs)
    slow = create_schedule(world.context, OPERATOR, Wanted("lonely_task", every=1.0))
    try:
        runner = new_runner()
        tick_until([runner], lambda: not is_future(world, slow))
        many(world, 10)
        assert tick_until([runner], lambda: count(world) == 10) < LONGEST_TICK
    finally:
        released.set()
    tick_until([runner], lambda: count(world) > 10)


def is_future(world: World, schedule_id: UUID) -> bool:
    rows = world.query("SELECT run_at > clock_timestamp() FROM schedules WHERE schedule_id = :id", id=schedule_id)
    return bool(rows[0][0])


def test_a_pause_of_the_engine_is_made_up_for_once(world: World, new_runner: Callable[[], ScheduleRunner]) -> None:
    create_schedule(world.context, OPERATOR, Wanted("plain_task", every=1.0, overlap="allow"))
    runner = new_runner()
    tick_until([runner], lambda: count(world) >= 1)
    set_engine_lock(world.context, OPERATOR, True)
    time.sleep(0.5)
    before = count(world)
    paused_until = time.monotonic() + 5
    tick_until([runner], lambda: time.monotonic() > paused_until)
    assert count(world) == before
    set_engine_lock(world.context, OPERATOR, False)
    tick_until([runner], lambda: count(world) >= before + 3)

    missed = world.query("SELECT due_at, missed_until FROM schedule_runs WHERE missed_until IS NOT NULL")
    assert len(missed) == 1
    assert (missed[0][1] - missed[0][0]).total_seconds() > 3


def test_a_database_that_does_not_answer_is_looked_for_again(
    world: World, new_runner: Callable[[], ScheduleRunner]
) -> None:
    runner = new_runner()
    tick_until([runner], lambda: count(world, "pg_stat_activity WHERE application_name = 'orchestrator schedules'"))
    world.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'orchestrator schedules' "
        "AND datname = current_database()"
    )
    many(world, 3)
    tick_until([runner], lambda: count(world) == 3)
