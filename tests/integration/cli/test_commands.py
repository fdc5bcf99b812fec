"""Commands on a real database: what they print, and the status that they exit with."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from orchestrator.cli.demo import free_ports
from tests.integration.cli.conftest import Run

NOBODY = str(uuid4())


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (["process", "list", "--json"], 0),
        (["subscription", "list", "--json"], 0),
        (["workflow", "list", "--json"], 0),
        (["process", "start", "no_such_workflow"], 3),
        (["process", "show", NOBODY], 3),
        (["process", "watch", NOBODY], 3),
        (["process", "resume", NOBODY], 3),
        (["process", "abort", NOBODY], 3),
        (["subscription", "show", NOBODY], 3),
        (["subscription", "history", NOBODY], 3),
        (["workflow", "show", "no_such_workflow"], 3),
        (["process", "list", "--filter", "no_such_field,1"], 5),
        (["process", "list", "--sort", "no_such_field"], 5),
        (["process", "start", "no_such_workflow", "--input", "{"], 5),
        (["process", "start", "no_such_workflow", "--input", "@no such file"], 5),
        (["process", "start", "no_such_workflow", "--set", "novalue"], 2),
        (["process", "show", "no-uuid"], 2),
        (["process", "start", "no_such_workflow", "--subscription", "no-uuid"], 2),
        (["schedule", "create", "no_such_workflow", "--every", "1d", "--subscription", "no-uuid"], 2),
        (["process", "list", "--page", "0"], 2),
        (["process", "list", "--status", "failed|Awaiting_callback", "--json"], 0),
        (["process", "list", "--status", "!completed", "--json"], 0),
        (["process", "list", "--status", "failed,suspended"], 2),
        (["subscription", "list", "--status", "actve"], 2),
        (["no-such-command"], 2),
    ],
)
def test_the_exit_status_tells_what_happened(
    run: Run, database_url: str, broker_url: str, words: list[str], status: int
) -> None:
    ended = run(*words, database_url=database_url, broker_url=broker_url)
    assert ended.exit_code == status, ended.output
    assert "Traceback" not in ended.output
    assert (ended.stderr != "") is (status != 0)


def test_a_list_as_json_has_items_and_a_total(run: Run, database_url: str, broker_url: str) -> None:
    ended = run("process", "list", "--json", database_url=database_url, broker_url=broker_url)
    assert json.loads(ended.stdout) == {"total": 0, "total_is_exact": True, "items": []}


def test_without_servers_a_command_says_what_is_not_set(run: Run) -> None:
    ended = run("process", "list")
    assert ended.exit_code == 7
    assert "ORCHESTRATOR_DATABASE_URL is not set, and nothing runs on the folder /" in ended.stderr


def test_a_database_that_does_not_answer_is_one_sentence(run: Run, broker_url: str) -> None:
    (port,) = free_ports(1)
    url = f"postgresql://me:hush-hush@127.0.0.1:{port}/x"
    ended = run("process", "list", database_url=url, broker_url=broker_url)
    assert ended.exit_code == 6
    assert "hush-hush" not in ended.output
    assert "Traceback" not in ended.output


def test_a_database_without_tables_is_sent_to_the_migrations(
    run: Run, empty_database_url: str, broker_url: str
) -> None:
    ended = run("process", "list", database_url=empty_database_url, broker_url=broker_url)
    assert ended.exit_code == 7
    assert "orchestrator db upgrade" in ended.stderr


def test_the_database_goes_up_and_down_and_says_where_it_is(run: Run, empty_database_url: str) -> None:
    before = json.loads(run("db", "current", "--json", database_url=empty_database_url).stdout)
    assert (before["current"], before["pending"][-1:]) == ([], before["heads"])
    assert json.loads(run("db", "upgrade", "--json").stdout) == {"applied": before["pending"], "pending": []}
    assert "Nothing was missing." in run("db", "upgrade").stdout
    assert json.loads(run("db", "downgrade", "base", "--json").stdout) == {"current": []}
    unknown = run("db", "upgrade", "no_such_revision")
    assert unknown.exit_code == 1
    assert "Traceback" not in unknown.output


def test_help_of_the_group_has_all_commands_and_the_exit_statuses(run: Run) -> None:
    shown = run("--help").stdout
    for word in ("up", "demo", "doctor", "process", "subscription", "workflow", "db", "flower", "8  what was watched"):
        assert word in shown
