"""The doctor on set-ups that are broken, each in one way: it names what is wrong, says what mends it, and looks on."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from sqlalchemy import make_url

from orchestrator.cli.demo import free_ports
from orchestrator.engine.sweep import Sweep
from orchestrator.storage.database import libpq_url
from tests.integration.cli.conftest import Run

CHECKS = [
    "settings",
    "database",
    "sessions",
    "catalog",
    "secret key",
    "migrations",
    "catalog in database",
    "broker",
    "worker",
    "clock",
]

CATALOG = """
from orchestrator import begin, done, step, workflow

@step("Greet")
def greet():
    return {"greeting": "hello"}

@workflow("Say hello")
def say_hello():
    return begin >> greet >> done

def register(catalog):
    catalog.add_workflow(say_hello)
"""


WAITS_FOR_CALLBACK = """
from orchestrator import begin, callback_step, done, step, workflow

@step("Ask for it")
def ask_for_it(callback_route):
    pass

@step("Take the answer")
def take(callback_result):
    pass

@workflow("Ask")
def ask():
    return begin >> callback_step("Ask and wait", ask_for_it, take) >> done

def register(catalog):
    catalog.add_workflow(ask)
"""


def look(run: Run, **settings: str) -> dict[str, dict[str, Any]]:
    ended = run("doctor", "--json", **settings)
    report = json.loads(ended.stdout)
    assert [found["check"] for found in report["checks"]] == CHECKS
    broken = [found for found in report["checks"] if found["state"] == "wrong"]
    assert report["healthy"] is (not broken)
    assert ended.exit_code == (1 if broken else 0)
    assert all(found["says"] and found["mend"] for found in broken)
    return {found["check"]: found for found in report["checks"]}


def states(found: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {check: one["state"] for check, one in found.items()}


def package(folder: Path, content: str) -> str:
    name = f"catalog_{uuid4().hex[:8]}"
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(content)
    return name


def test_without_any_server_it_says_what_to_start(run: Run) -> None:
    found = look(run)
    assert states(found)["database"] == states(found)["broker"] == "wrong"
    assert "orchestrator up" in found["database"]["mend"]
    assert "orchestrator up" in found["broker"]["mend"]
    assert states(found)["worker"] == states(found)["clock"] == "not checked"
    assert states(found)["catalog"] == "well"


def test_a_database_that_does_not_answer(run: Run, broker_url: str) -> None:
    (port,) = free_ports(1)
    found = look(run, database_url=f"postgresql://me:hush-hush@127.0.0.1:{port}/x", broker_url=broker_url)
    assert states(found)["database"] == "wrong"
    assert "ORCHESTRATOR_DATABASE_URL" in found["database"]["mend"]
    assert "hush-hush" not in json.dumps(found)
    assert states(found)["broker"] == "well"


def test_a_wrong_password_of_the_database(run: Run, database_url: str) -> None:
    wrong = make_url(database_url).set(password="hush-hush").render_as_string(hide_password=False)
    try:
        psycopg.connect(libpq_url(wrong)).close()
    except psycopg.OperationalError:
        pass
    else:
        pytest.skip("this PostgreSQL accepts every password")
    found = look(run, database_url=wrong)
    assert "password authentication failed" in found["database"]["says"]
    assert "hush-hush" not in json.dumps(found)


def test_a_database_that_was_never_migrated(run: Run, empty_database_url: str, broker_url: str) -> None:
    found = look(run, database_url=empty_database_url, broker_url=broker_url)
    assert found["migrations"]["state"] == "wrong"
    assert "schema_0001" in found["migrations"]["says"]
    assert "orchestrator db upgrade" in found["migrations"]["mend"]
    assert states(found)["catalog in database"] == "not checked"


def test_a_broker_that_does_not_answer(run: Run, database_url: str) -> None:
    (port,) = free_ports(1)
    found = look(run, database_url=database_url, broker_url=f"redis://:hush-hush@127.0.0.1:{port}/0")
    assert found["broker"]["state"] == "wrong"
    assert "ORCHESTRATOR_BROKER_URL" in found["broker"]["mend"]
    assert "hush-hush" not in json.dumps(found)
    assert states(found)["worker"] == "not checked"
    assert states(found)["migrations"] == "well"


def test_no_worker_and_no_clock(run: Run, database_url: str, broker_url: str) -> None:
    found = look(run, database_url=database_url, broker_url=broker_url)
    wrong = {check for check, state in states(found).items() if state == "wrong"}
    assert wrong == {"worker", "clock"}
    assert "worker" in found["worker"]["mend"]
    assert "beat" in found["clock"]["mend"]


def test_a_clock_that_leads_is_seen(run: Run, database_url: str, broker_url: str) -> None:
    clock = Sweep(database_url)
    clock.find(dict)
    try:
        assert states(look(run, database_url=database_url, broker_url=broker_url))["clock"] == "well"
    finally:
        clock.close()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("import there_is_no_such_module", "there_is_no_such_module"),
        ("", "register(catalog)"),
        ("def register(catalog):\n    this is no Python\n", "SyntaxError"),
        ("def register(catalog):\n    catalog.add_workflow(register)\n", "is no workflow"),
        ("\ndef register(catalog):\n    catalog.add_produc()\n", "/__init__.py, line 3)"),
    ],
)
def test_a_catalog_package_that_cannot_be_used(
    run: Run, tmp_path: Path, database_url: str, content: str, says: str
) -> None:
    found = look(run, database_url=database_url, catalog=package(tmp_path, content))
    assert found["catalog"]["state"] == "wrong"
    assert says in found["catalog"]["says"]
    assert states(found)["database"] == "well"


def test_a_catalog_package_that_is_not_there(run: Run, database_url: str) -> None:
    found = look(run, database_url=database_url, catalog="no_such_package")
    assert "no_such_package" in found["catalog"]["says"]


def test_workflows_that_only_the_code_or_only_the_database_knows(
    run: Run, tmp_path: Path, database_url: str, broker_url: str
) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute(
            "INSERT INTO workflows (workflow_id, name, target) VALUES (gen_random_uuid(), 'say_goodbye', 'SYSTEM')"
        )
    found = look(run, database_url=database_url, broker_url=broker_url, catalog=package(tmp_path, CATALOG))
    assert states(found)["catalog"] == states(found)["migrations"] == "well"
    disagreement = found["catalog in database"]
    assert disagreement["state"] == "wrong"
    assert "say_hello" in disagreement["says"]
    assert "say_goodbye" in disagreement["says"]
    assert "db revision --autogenerate" in disagreement["mend"]


def test_a_package_that_the_catalog_lacks(run: Run, tmp_path: Path, database_url: str) -> None:
    one, other = package(tmp_path, CATALOG), package(tmp_path, CATALOG.replace("say_hello", "say_more"))
    both = {"database_url": database_url, "catalog": f"{one},{other}"}
    said = look(run, **both)["catalog in database"]["mend"]
    assert f"`--package` which one it is for: {one}, {other}." in said
    assert "with --package; there are: " in run("db", "revision", "--autogenerate", "-m", "x", **both).output
    for name in (one, other):
        assert run("db", "revision", "-m", "Empty", "--package", name, **both).exit_code == 0
    applied = run("db", "upgrade", **both).output
    assert applied.count(",") == 1

    found = look(run, database_url=database_url, catalog=one)["catalog in database"]
    assert "which is not here" in found["says"]
    assert "ORCHESTRATOR_CATALOG" in found["mend"]


def test_a_workflow_that_waits_for_callbacks_without_a_secret_key(run: Run, tmp_path: Path, database_url: str) -> None:
    name = package(tmp_path, WAITS_FOR_CALLBACK)
    without = look(run, database_url=database_url, catalog=name)
    assert states(without)["secret key"] == "wrong"
    assert "ORCHESTRATOR_SECRET_KEY is not set: the workflow 'ask'" in without["secret key"]["says"]
    assert states(look(run, database_url=database_url, catalog=name, secret_key="k" * 16))["secret key"] == "well"


def test_a_variable_that_nothing_reads_is_named_and_the_rest_is_looked_at(run: Run, database_url: str) -> None:
    found = look(run, database_url=database_url, prot="8081")
    assert "ORCHESTRATOR_PORT is one" in found["settings"]["says"]
    assert states(found)["migrations"] == "well"


def test_a_setting_that_cannot_be_read(run: Run) -> None:
    found = look(run, port="eighty")
    assert "ORCHESTRATOR_PORT" in found["settings"]["says"]
    assert {state for check, state in states(found).items() if check != "settings"} == {"not checked"}


def test_for_people_it_prints_a_line_for_each_check(run: Run) -> None:
    ended = run("doctor")
    assert ended.exit_code == 1
    assert all(f" {check}: " in ended.stdout for check in CHECKS)
