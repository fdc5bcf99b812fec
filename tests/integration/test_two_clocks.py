"""Two real clocks on one database, of which one is killed and started again and again."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestrator.services.schedule_plans import Wanted
from orchestrator.services.schedules import create_schedule, pause_schedule
from orchestrator.storage.database import Database
from tests.integration.process_world import OPERATOR, World, process_world

REPOSITORY = Path(__file__).parents[2]
CATALOG = "tests.integration.cli.catalog_of_world"

Clock = subprocess.Popen[bytes]


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        made.query("DELETE FROM schedules")
        yield made


@pytest.fixture
def start_clock(database_url: str, broker_url: str, tmp_path: Path) -> Iterator[Callable[[], Clock]]:
    """Starts `celery beat` as the Procfile does; what still runs is killed after the test."""
    started: list[Clock] = []
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
    environment |= {
        "ORCHESTRATOR_DATABASE_URL": database_url,
        "ORCHESTRATOR_BROKER_URL": broker_url,
        "ORCHESTRATOR_CATALOG": CATALOG,
        "PYTHONPATH": str(REPOSITORY),
    }
    command = [sys.executable, "-m", "celery", "--app", "orchestrator.worker", "beat", "--pidfile="]

    def start() -> Clock:
        log = (tmp_path / f"clock-{len(started)}.log").open("wb")
        clock = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        log.close()
        started.append(clock)
        return clock

    yield start
    for clock in started:
        if clock.poll() is None:
            clock.kill()
        clock.wait()


def wait_until(what: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


def clocks_looking(world: World) -> set[int]:
    """The connections of clocks that look at schedules."""
    rows = world.query(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'orchestrator schedules' AND datname = "
        "current_database()"
    )
    return {row[0] for row in rows}


def live_through_kills(world: World, start_clock: Callable[[], Clock], seconds: float, seed: int) -> list[datetime]:
    """Let a schedule of every second run for so long, while clocks are killed in turn; the due times that were run."""
    choice = random.Random(seed)
    clocks = [start_clock()]
    wait_until(lambda: len(clocks_looking(world)) == 1)
    clocks.append(start_clock())
    wait_until(lambda: len(clocks_looking(world)) >= 2)
    schedule_id = create_schedule(world.context, OPERATOR, Wanted("plain_task", every=1.0, overlap="allow"))
    end, kills = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        time.sleep(choice.uniform(0.2, 1.5))
        victim = choice.randrange(2)
        others = clocks_looking(world)
        clocks[victim].send_signal(signal.SIGKILL)
        clocks[victim].wait()
        kills += 1
        clocks[victim] = start_clock()
        # The next is killed when this one looks: one clock lives at any moment.
        wait_until(lambda known=others: clocks_looking(world) - known)
    time.sleep(2.5)
    pause_schedule(world.context, OPERATOR, schedule_id)
    assert kills >= seconds / 15, "too few clocks were killed to show anything"
    return [row[0] for row in world.query("SELECT due_at FROM schedule_runs WHERE outcome = 'started' ORDER BY due_at")]


def check(world: World, due: list[datetime], seconds: float) -> None:
    """Each second from the first to the last has one run and one process."""
    assert len(due) >= seconds - 3
    gaps = [(before, after) for before, after in pairwise(due) if after - before != timedelta(seconds=1)]
    assert gaps == [], "a due time was missed, or run twice"
    ((processes, named),) = world.query(
        "SELECT count(*), count(DISTINCT r.process_id) FROM processes p LEFT JOIN schedule_runs r USING (process_id)"
    )
    assert processes == named == len(due)
    unexpected: list[tuple[Any, ...]] = world.query(
        "SELECT due_at, outcome, reason FROM schedule_runs WHERE outcome <> 'started' OR missed_until IS NOT NULL"
    )
    assert unexpected == []


@pytest.mark.slow
def test_each_second_runs_once_while_clocks_are_killed(world: World, start_clock: Callable[[], Clock]) -> None:
    check(world, live_through_kills(world, start_clock, 8, seed=1), 8)


@pytest.mark.slow
def test_each_second_of_a_minute_runs_once_while_clocks_are_killed(
    world: World, start_clock: Callable[[], Clock]
) -> None:
    check(world, live_through_kills(world, start_clock, 60, seed=2), 60)


@pytest.mark.slow
def test_what_was_due_while_no_clock_ran_is_made_up_for_once(world: World, start_clock: Callable[[], Clock]) -> None:
    create_schedule(world.context, OPERATOR, Wanted("plain_task", every=1.0, overlap="allow"))
    time.sleep(5)
    start_clock()
    wait_until(lambda: world.query("SELECT count(*) FROM schedule_runs")[0][0] >= 3)

    (first, *rest) = world.query("SELECT due_at, missed_until FROM schedule_runs ORDER BY due_at LIMIT 3")
    assert first[1] - first[0] > timedelta(seconds=4), "the first stands for all that were missed"
    assert [missed_until for _, missed_until in rest] == [None, None]
    assert first[1] < rest[0][0] < rest[1][0]
