"""Commands that hold the engine or a process, and that mend processes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from threading import Event, Thread
from uuid import UUID, uuid4

import pytest
from click.testing import Result

from orchestrator.migrations.catalog import create_workflow
from orchestrator.services.processes import start_process
from orchestrator.storage.database import Database
from tests.integration.cli.catalog_of_world import ask_wrongly
from tests.integration.cli.conftest import Run
from tests.integration.process_world import FAULTS, OPERATOR, World, process_world


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.fixture
def command(run: Run, world: World, database_url: str, broker_url: str) -> Callable[..., Result]:
    """A command on the world's database."""
    return lambda *words: run(*words, database_url=database_url, broker_url=broker_url)


def test_the_engine_is_paused_and_goes_on(command: Callable[..., Result], world: World) -> None:
    process_id = str(start_process(world.context, OPERATOR, "plain_task").process_id)
    assert command("engine", "status").stdout == "RUNNING: 0 steps run\n"
    assert command("engine", "pause", "--reason", "maintenance").stdout == "PAUSED (maintenance): 0 steps run\n"
    told = json.loads(command("engine", "status", "--json").stdout)
    assert told == {"global_lock": True, "global_status": "PAUSED", "running_processes": 0, "reason": "maintenance"}
    refused = command("process", "resume", process_id)
    assert (refused.exit_code, "the engine is paused: maintenance" in refused.output) == (6, True)
    assert command("engine", "resume").stdout == "RUNNING: 0 steps run\n"
    assert world.query("SELECT action, reason FROM audit WHERE object_type = 'engine' ORDER BY audit_id") == [
        ("pause", "maintenance"),
        ("unpause", None),
    ]


def test_a_process_is_paused_and_goes_on(command: Callable[..., Result], world: World) -> None:
    process_id = str(start_process(world.context, OPERATOR, "plain_task").process_id)
    assert command("process", "pause", process_id).stdout == f"Paused {process_id}\n"
    assert command("process", "pause", process_id).exit_code == 4
    assert "created, paused" in command("process", "list").stdout
    assert "created, paused" in command("process", "show", process_id).stdout
    unpaused = json.loads(command("process", "unpause", process_id, "--json").stdout)
    assert unpaused == {"process_id": process_id, "last_status": "created", "paused": False}
    assert command("process", "unpause", str(uuid4())).exit_code == 3


def test_an_abort_releases_the_subscription_when_it_is_asked_to(command: Callable[..., Result], world: World) -> None:
    pages = [{"subscription_id": str(world.subscription())}]
    process_id = str(start_process(world.context, OPERATOR, "modify_port", pages).process_id)
    world.run()
    assert world.query("SELECT insync FROM subscriptions") == [(False,)]
    assert command("process", "abort", process_id, "--release-subscription").exit_code == 0
    assert world.query("SELECT insync FROM subscriptions") == [(True,)]


def test_failed_processes_are_skipped_run_again_and_moved(
    run: Run, world: World, database_url: str, broker_url: str
) -> None:
    def command(*words: str) -> Result:
        catalog = "tests.integration.cli.catalog_of_world"
        return run(*words, database_url=database_url, broker_url=broker_url, catalog=catalog)

    def failed() -> str:
        FAULTS.append("not today")
        process_id = str(start_process(world.context, OPERATOR, "plain_task").process_id)
        world.run()
        return process_id

    skipped, again, moved = failed(), failed(), failed()
    assert command("process", "skip", skipped).exit_code == 2
    assert command("process", "skip", skipped, "--reason", "by hand").stdout == f"Skipped a step of {skipped}\n"
    shown = command("process", "show", again).stdout
    line = next(line for line in shown.splitlines() if "not today" in line)
    assert re.search(r"✗ .* \d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*failed", line)
    told = json.loads(command("process", "rerun", again, "--step", "start", "--json").stdout)
    assert told == {"process_id": again, "last_status": "resumed", "paused": False}
    assert command("process", "migrate", moved, "--step", "done").exit_code == 4
    world.query("UPDATE workflow_versions SET hash = 'of another release'")
    assert command("process", "migrate", moved, "--step", "nothing").exit_code == 5
    assert command("process", "migrate", moved, "--step", "done").stdout == f"Moved to done: {moved}\n"
    assert world.query(
        "SELECT action, process_id FROM audit WHERE action IN ('skip', 'rerun', 'migrate') ORDER BY at"
    ) == [
        ("skip", UUID(skipped)),
        ("rerun", UUID(again)),
        ("migrate", UUID(moved)),
    ]


def test_what_the_error_of_a_failed_step_carried_is_shown(command: Callable[..., Result], world: World) -> None:
    FAULTS.append("not today")
    process_id = str(start_process(world.context, OPERATOR, "plain_task").process_id)
    world.run()
    world.query("UPDATE process_steps SET error = error || '{\"details\": {\"port\": 7}}' WHERE status = 'failed'")
    assert '{"port":7}' in command("process", "show", process_id).stdout


def test_who_runs_a_process_again_can_watch_it(run: Run, world: World, database_url: str, broker_url: str) -> None:
    servers = {"database_url": database_url, "broker_url": broker_url}
    FAULTS.append("not today")
    process_id = str(start_process(world.context, OPERATOR, "plain_task").process_id)
    world.run()
    ended = Event()
    (seq,) = world.query("SELECT seq FROM processes")[0]

    def work() -> None:
        while not ended.wait(0.2):
            world.runner.run(seq)

    worker = Thread(target=work, daemon=True)
    worker.start()
    words = ("process", "rerun", process_id, "--step", "start", "--watch")
    watched = run(*words, catalog="tests.integration.cli.catalog_of_world", **servers)
    ended.set()
    worker.join()
    assert (watched.exit_code, watched.stdout.splitlines()[-1:]) == (0, ["completed"]), watched.output


def test_a_subscription_that_an_abort_left_out_of_sync_is_set_in_sync(
    command: Callable[..., Result], world: World
) -> None:
    subscription_id = str(world.subscription())
    pages = [{"subscription_id": subscription_id}]
    process_id = start_process(world.context, OPERATOR, "modify_port", pages).process_id
    world.run()
    early = command("subscription", "set-in-sync", subscription_id)
    assert (early.exit_code, str(process_id) in early.output) == (4, True)

    command("process", "abort", str(process_id))
    done = command("subscription", "set-in-sync", subscription_id, "--reason", "looked at it")
    assert done.stdout == f"Set in sync {subscription_id}\n"
    assert world.query("SELECT insync FROM subscriptions") == [(True,)]
    assert world.query("SELECT reason FROM audit WHERE action = 'set in sync'") == [("looked at it",)]
    again = command("subscription", "set-in-sync", subscription_id, "--json")
    assert json.loads(again.stdout) == {"subscription_id": subscription_id, "insync": True}
    assert command("subscription", "set-in-sync", str(uuid4())).exit_code == 3


@pytest.fixture
def with_forms_that_fail(run: Run, world: World, database_url: str, broker_url: str) -> Callable[..., Result]:
    """A command on the world's database, with a catalog that has workflows whose forms fail."""
    catalog = "tests.integration.cli.catalog_of_world"
    with world.context.database.engine.begin() as connection:
        for name in ("ask_wrongly", "start_wrongly"):
            create_workflow(connection, {"name": name, "target": "SYSTEM", "description": name})
    world.context.catalog.add_workflow(ask_wrongly)
    return lambda *words: run(*words, database_url=database_url, broker_url=broker_url, catalog=catalog)


def test_a_form_that_fails_says_why(with_forms_that_fail: Callable[..., Result]) -> None:
    ended = with_forms_that_fail("process", "start", "start_wrongly")

    assert ended.exit_code == 1
    assert ended.stderr == "Error: the form of start_wrongly failed with RuntimeError: the inventory is closed\n"


@pytest.mark.parametrize("word", ["show", "watch"])
def test_a_process_that_waits_at_a_form_that_fails_says_so_without_a_traceback(
    with_forms_that_fail: Callable[..., Result], world: World, word: str
) -> None:
    process_id = str(start_process(world.context, OPERATOR, "ask_wrongly").process_id)
    world.run()

    ended = with_forms_that_fail("process", word, process_id)
    assert "\nIts form cannot be shown: the form of 'Ask' failed with KeyError\n" in ended.stdout
    assert "Traceback" not in ended.output

    ended = with_forms_that_fail("process", "resume", process_id)
    assert ended.stderr == "Error: the form of 'Ask' failed with KeyError: 'colour'\n"


def test_the_form_is_shown_and_nothing_starts(with_forms_that_fail: Callable[..., Result], world: World) -> None:
    shown = with_forms_that_fail("process", "start", "unstorable_task", "--show-form")
    assert shown.exit_code == 3, "its code is not in that catalog"
    with world.context.database.engine.begin() as connection:
        create_workflow(connection, {"name": "ask_only_defaults", "target": "SYSTEM", "description": "Defaults"})

    shown = with_forms_that_fail("process", "start", "ask_only_defaults", "--show-form")
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == (
        "Page 1, 'unknown':\n"
        "  vlan: integer; at least 2; at most 4094; 7 if not given\n"
        "Page 2, 'unknown':\n"
        "  ticket: string; like ^CHG-; required\n"
        "  sure: only true; required\n"
    )
    assert world.query("SELECT count(*) FROM processes") == [(0,)]
