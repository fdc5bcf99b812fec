"""Work from the command line only, with a catalog package that an author has in the working folder."""

from __future__ import annotations

import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from orchestrator.cli.demo import free_ports, listens
from orchestrator.embedded.child_processes import spawn
from tests.end_to_end.up_on_test import Running, clean_environment, command, start, wait_until

pytestmark = pytest.mark.slow

CATALOG = """
from pathlib import Path

from orchestrator import FormPage, begin, done, inputstep, step, workflow

from pydantic import ConfigDict


def first_page():
    class Whom(FormPage):
        model_config = ConfigDict(title="Whom to greet")
        name: str
        times: int = 1

    answer = yield Whom
    return answer.model_dump()


@step("Write the greeting")
def write_greeting(name: str, times: int):
    return {"greeting": ", ".join([f"hello {name}"] * times)}


@inputstep("Approve", assignee="NOC")
def approve():
    class Approval(FormPage):
        approved: bool

    answer = yield Approval
    return answer.model_dump()


@step("Send it")
def send(greeting: str):
    if not Path("the mail works").exists():
        raise RuntimeError("the mail does not work")
    return {"sent": greeting}


@workflow("Greet somebody", initial_input_form=first_page)
def greet():
    return begin >> write_greeting >> approve >> send >> done


def register(catalog):
    catalog.add_workflow(greet)
"""

REVISION = """
from alembic import op

from orchestrator.migrations.catalog import create_workflow, delete_workflow

revision = "greetings_0001"
down_revision = None
branch_labels = ("data",)
depends_on = "schema_0001"
GREET = {"name": "greet", "target": "SYSTEM", "description": "Greet somebody"}


def upgrade():
    create_workflow(op.get_bind(), GREET)


def downgrade():
    delete_workflow(op.get_bind(), GREET)
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("author")
    migrations = folder / "greetings" / "migrations"
    migrations.mkdir(parents=True)
    (folder / "greetings" / "__init__.py").write_text(CATALOG)
    (migrations / "0001_greet.py").write_text(REVISION)
    up = start(folder, ORCHESTRATOR_CATALOG="greetings")
    try:
        up.wait_until_ready()
        yield up
    finally:
        up.process.terminate()
        up.process.wait(60)


def as_json(ended: subprocess.CompletedProcess[str]) -> Any:
    assert ended.stdout, ended.stderr
    return json.loads(ended.stdout)


def test_a_process_is_started_answered_mended_and_followed(running: Running) -> None:
    incomplete = running.run("process", "start", "greet")
    assert incomplete.returncode == 5
    assert "name: string; required" in incomplete.stderr
    assert "times: integer; 1 if not given" in incomplete.stderr

    misspelt = running.run("process", "start", "greet", "--set", "name=Ada", "--set", "tims=2")
    assert misspelt.returncode == 5
    assert "tims" in misspelt.stderr
    wrong = running.run("process", "start", "greet", "--input", '[{"name": "Ada", "times": "often"}]')
    assert wrong.returncode == 5
    assert "times" in wrong.stderr
    assert as_json(running.run("process", "list", "--json"))["total"] == 0

    started = running.run("process", "start", "greet", "--set", "name=Ada", "--set", "times=2", "--watch", "--json")
    assert started.returncode == 8
    detail = as_json(started)
    assert detail["process"]["last_status"] == "suspended"
    assert [step["status"] for step in detail["steps"]] == ["success", "suspend", "pending", "pending"]
    process_id = detail["process"]["process_id"]

    failed = running.run("process", "resume", process_id, "--set", "approved=true", "--watch")
    assert failed.returncode == 1
    assert "✗ Send it" in failed.stdout
    assert "the mail does not work" in failed.stdout

    (running.folder / "the mail works").touch()
    ended = running.run("process", "resume", process_id, "--watch")
    assert ended.returncode == 0
    assert ended.stdout.endswith("completed\n")
    assert running.run("process", "resume", process_id).returncode == 4
    shown = as_json(running.run("process", "show", process_id, "--json"))
    assert shown["current_state"]["sent"] == "hello Ada, hello Ada"
    assert shown["process"]["created_by"] == pwd.getpwuid(os.getuid()).pw_name


def test_an_aborted_process_ends_its_watch_with_1(running: Running) -> None:
    pages = running.folder / "pages.json"
    pages.write_text('[{"name": "Grace"}]')
    process_id = as_json(running.run("process", "start", "greet", "--input", "@pages.json", "--json"))["process_id"]
    assert running.run("process", "watch", process_id).returncode == 8
    assert running.run("process", "abort", process_id, "--reason", "a test").returncode == 0
    assert running.run("process", "watch", process_id).returncode == 1
    assert running.run("process", "abort", process_id).returncode == 4


def test_the_same_idempotency_key_starts_one_process(running: Running) -> None:
    words = ("process", "start", "greet", "--input", '[{"name": "Joan"}]', "--idempotency-key", "once", "--json")
    assert as_json(running.run(*words)) == as_json(running.run(*words))
    assert running.run("process", "start", "greet", "--set", "name=Joan", "--idempotency-key", "x").returncode == 2


def test_workflows_are_listed_and_shown_with_their_steps(running: Running) -> None:
    assert "greet" in running.run("workflow", "list").stdout
    shown = as_json(running.run("workflow", "show", "greet", "--json"))
    assert [step["name"] for step in shown["steps"]] == ["Write the greeting", "Approve", "Send it", "Done"]


def test_flower_with_a_password_asks_for_it_and_shows_it_to_nobody(running: Running) -> None:
    # A second Flower, beside the one that `up` runs.
    (port,) = free_ports(1)
    settings = {"ORCHESTRATOR_FLOWER_PASSWORD": "hush-hush", "ORCHESTRATOR_FLOWER_PORT": str(port)}
    flower = subprocess.Popen(command("flower"), cwd=running.folder, env=running.environment | settings)
    try:
        wait_until(lambda: listens(port), 20, "Flower does not answer")
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            assert client.get("/api/tasks").status_code == 401
            assert client.get("/api/tasks", auth=("orchestrator", "wrong")).status_code == 401
            tasks = client.get("/api/tasks", auth=("orchestrator", "hush-hush"))
        assert tasks.status_code == 200
        assert "hush-hush" not in Path(f"/proc/{flower.pid}/cmdline").read_text()
    finally:
        flower.terminate()
        flower.wait(20)


def test_the_demo_finds_that_all_is_as_it_should_be(tmp_path: Path) -> None:
    ended = subprocess.run(
        command("demo"),
        cwd=Path(__file__).parents[2],
        env=clean_environment(TMPDIR=str(tmp_path)),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "all is as it should be" in ended.stdout, ended.stdout + ended.stderr
    assert ended.returncode == 0


def test_an_interrupted_demo_leaves_nothing_behind(tmp_path: Path) -> None:
    repository = Path(__file__).parents[2]
    environment = clean_environment(TMPDIR=str(tmp_path))
    with (tmp_path / "output").open("wb") as output:
        # Whoever started the tests may ignore interrupts; this does not.
        demo = spawn(
            command("demo"), environment=environment, death_signal=signal.SIGKILL, stdout=output, folder=repository
        )
        wait_until(lambda: b"Ready after" in (tmp_path / "output").read_bytes(), 60, "the demo does not start")
        time.sleep(0.5)
        demo.send_signal(signal.SIGINT)
        assert demo.wait(60) == 130
    assert [path.name for path in tmp_path.iterdir()] == ["output"]


def test_a_demo_outside_of_a_clone_says_where_to_run_it(tmp_path: Path) -> None:
    ended = subprocess.run(
        command("demo"), cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 7
    assert "clone" in ended.stderr
