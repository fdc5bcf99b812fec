"""Schedules from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from uuid import uuid4

import pytest
from click.testing import Result

from orchestrator.storage.database import Database
from tests.integration.cli.conftest import Run
from tests.integration.process_world import World, process_world


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        made.query("DELETE FROM schedules")
        yield made


@pytest.fixture
def command(run: Run, world: World, database_url: str, broker_url: str) -> Callable[..., Result]:
    """A command on the world's database, with its code."""
    catalog = "tests.integration.cli.catalog_with_ports"
    return lambda *words: run("schedule", *words, database_url=database_url, broker_url=broker_url, catalog=catalog)


def test_a_schedule_lives_on_the_command_line(command: Callable[..., Result], world: World) -> None:
    words = ("create", "plain_task", "--cron", "0 3 * * *", "--time-zone", "Europe/Amsterdam", "--name", "nightly")
    created = command(*words)
    assert created.exit_code == 0, created.output
    verb, schedule_id = created.stdout.splitlines()[0].split()
    assert verb == "Created"
    next_runs = created.stdout.splitlines()[1]
    assert next_runs.count(",") == 4, "five runs"
    assert next_runs.endswith(f" {datetime.now().astimezone():%Z}")

    shown = json.loads(command("show", schedule_id, "--json").stdout)
    assert (shown["cron"], shown["time_zone"], len(shown["next_runs"])) == ("0 3 * * *", "Europe/Amsterdam", 5)
    assert command("edit", schedule_id, "--every", "6h", "--overlap", "queue", "--version", "1").exit_code == 0
    assert command("edit", schedule_id, "--every", "5m", "--version", "1").exit_code == 4
    listed = command("list").stdout
    assert "every 6h" in listed
    assert "nightly" in listed

    assert command("pause", schedule_id, "--reason", "holidays").stdout == f"Paused {schedule_id}\n"
    assert command("pause", schedule_id).exit_code == 4
    assert "paused" in command("show", schedule_id).stdout
    assert command("unpause", schedule_id).exit_code == 0
    started = json.loads(command("run", schedule_id, "--json").stdout)["process_id"]
    assert [str(row[0]) for row in world.query("SELECT process_id FROM processes")] == [started]
    assert started in command("show", schedule_id).stdout

    assert json.loads(command("delete", schedule_id, "--json").stdout) == {"schedule_id": schedule_id}
    assert command("show", schedule_id).exit_code == 3
    actions = world.query("SELECT action FROM audit WHERE object_type = 'schedule' ORDER BY audit_id")
    assert [action for (action,) in actions] == ["create", "change", "pause", "unpause", "run", "delete"]


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("create", "plain_task"), 5, "give one of cron, every"),
        (("create", "plain_task", "--cron", "0 3 * *"), 5, "cron: '0 3 * *' has 4 fields"),
        (("create", "plain_task", "--every", "soon"), 5, "90s, 5m, 6h or 1d"),
        (("create", "plain_task", "--at", "tomorrow"), 5, "at: 'tomorrow' is no time"),
        (("create", "plain_task", "--at", "2001-01-01T00:00"), 5, "passed already"),
        (("create", "plain_task", "--every", "1m", "--set", "name=x"), 5, "no page of the form asks for name"),
        (("create", "nothing", "--every", "1m"), 3, "no workflow 'nothing'"),
        (("create", "plain_task", "--every", "1m", "--overlap", "perhaps"), 2, "perhaps"),
        (("delete", str(uuid4())), 3, "no schedule"),
    ],
)
def test_what_is_wrong_is_told(
    command: Callable[..., Result], world: World, words: tuple[str, ...], status: int, said: str
) -> None:
    refused = command(*words)
    assert (refused.exit_code, said in refused.output) == (status, True), refused.output
    assert world.query("SELECT count(*) FROM schedules") == [(0,)]


def test_the_fields_of_the_form_are_asked_for_and_filled_in(command: Callable[..., Result], world: World) -> None:
    subscription_id = str(world.subscription())
    asked = command("create", "modify_port", "--every", "1d")
    assert asked.exit_code == 5
    assert "subscription_id" in asked.stderr
    created = command("create", "modify_port", "--every", "1d", "--subscription", subscription_id, "--json")
    schedule_id = json.loads(created.stdout)["schedule_id"]
    assert world.query("SELECT subscription_id::text FROM schedules") == [(subscription_id,)]
    assert command("edit", schedule_id, "--name", "daily").exit_code == 0
    assert world.query("SELECT name, subscription_id::text FROM schedules") == [("daily", subscription_id)]
