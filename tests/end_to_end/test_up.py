"""`orchestrator up` as a person runs it: real processes in an empty folder, stopped and killed in several ways."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from orchestrator.cli.demo import free_ports
from orchestrator.embedded.child_processes import children_of
from orchestrator.embedded.data_folder import DataFolder
from tests.end_to_end.up_on_test import (
    Running,
    alive,
    clean_environment,
    command,
    descendants,
    start,
    status_of,
    wait_until,
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    up = start(tmp_path_factory.mktemp("up"))
    try:
        up.wait_until_ready()
        yield up
    finally:
        up.process.terminate()
        up.process.wait(60)


def test_everything_starts_in_an_empty_folder_and_says_where_it_is(running: Running) -> None:
    assert httpx.get(f"{running.api}/api/health/ready").json()["ready"] is True
    said = running.output()
    for place in (f"{running.api}/api/docs", running.flower, str(running.folder / ".orchestrator")):
        assert place in said
    assert "set ORCHESTRATOR_CATALOG" in said
    assert (running.folder / ".orchestrator").stat().st_mode & 0o777 == 0o700


def test_a_second_up_on_the_same_folder_says_that_one_is_running(running: Running) -> None:
    second = running.run("up")
    assert second.returncode == 7
    assert "already running" in second.stderr
    assert "Traceback" not in second.stderr
    assert httpx.get(f"{running.api}/api/health/live").status_code == 200


def test_other_commands_find_the_embedded_servers(running: Running) -> None:
    found = running.run("db", "current", "--json")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["pending"] == []


def test_the_doctor_finds_nothing_wrong_with_it(running: Running) -> None:
    seen = []

    def healthy() -> bool:
        seen.append(running.run("doctor"))
        return seen[-1].returncode == 0

    wait_until(healthy, 20, "the doctor is not content")
    assert seen[-1].stdout.count("well") == 10


def test_flower_shows_workers_and_queues_and_lets_nobody_control_them(running: Running) -> None:
    with httpx.Client(base_url=running.flower, timeout=10) as client:
        wait_until(lambda: bool(client.get("/api/workers", params={"refresh": 1}).json()), 20, "no worker in Flower")
        name = next(iter(client.get("/api/workers").json()))
        assert client.get(f"/worker/{name}").status_code == 200
        assert client.get("/broker").status_code == 200
        assert client.get("/api/tasks").status_code == 200
        assert client.post("/api/task/async-apply/orchestrator.run_step", json={"args": []}).status_code == 403
        assert client.post(f"/api/worker/shutdown/{name}").status_code == 403


def test_sigterm_stops_everything_in_order(tmp_path: Path) -> None:
    up = start(tmp_path)
    up.wait_until_ready()
    family = descendants(up.process.pid)
    assert len(family) > 8
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(40) == 0, up.output()
    assert "Everything has ended." in up.output()
    assert "is killed" not in up.output()
    assert not alive(family)
    assert not (tmp_path / ".orchestrator" / "running.json").exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent was killed")
@pytest.mark.parametrize("victim", ["the guard", "the supervisor"])
def test_kill_9_leaves_no_orphan_and_no_stale_lock(tmp_path: Path, victim: str) -> None:
    up = start(tmp_path)
    up.wait_until_ready()
    family = descendants(up.process.pid)
    supervisor = children_of(up.process.pid)[0]
    os.kill(up.process.pid if victim == "the guard" else supervisor, signal.SIGKILL)
    up.process.wait(60)
    wait_until(lambda: not alive(family), 30, f"left over: {[status_of(pid) for pid in alive(family)]}")
    with DataFolder(tmp_path / ".orchestrator"):
        pass  # it can be taken again


@dataclass(frozen=True)
class Refusal:
    environment: dict[str, str]
    status: int
    says: str


BROKEN = {
    "port of the API taken": Refusal({"ORCHESTRATOR_PORT": "{taken}"}, 7, "set ORCHESTRATOR_PORT"),
    "port of Flower taken": Refusal({"ORCHESTRATOR_FLOWER_PORT": "{taken}"}, 7, "set ORCHESTRATOR_FLOWER_PORT"),
    "one port for both": Refusal(
        {"ORCHESTRATOR_PORT": "{free}", "ORCHESTRATOR_FLOWER_PORT": "{free}"},
        7,
        "PORT and ORCHESTRATOR_FLOWER_PORT are both",
    ),
    "a name misspelt, beside": Refusal(
        {"ORCHESTRATOR_PROT": "8081", "ORCHESTRATOR_CATALOG": "no_such_package"}, 7, "ORCHESTRATOR_PORT is one."
    ),
    "folder cannot be made": Refusal({"ORCHESTRATOR_DATA_DIR": "a file/data"}, 7, "cannot be used"),
    "address that others reach": Refusal({"ORCHESTRATOR_HOST": "0.0.0.0"}, 7, "not a loopback address"),
    "database does not answer": Refusal(
        {"ORCHESTRATOR_DATABASE_URL": "postgresql://me:hush-hush@127.0.0.1:{free}/x"}, 6, "PostgreSQL does not answer"
    ),
    "database URL is none": Refusal({"ORCHESTRATOR_DATABASE_URL": "hush-hush"}, 7, "is no URL of a PostgreSQL"),
    "broker does not answer": Refusal(
        {"ORCHESTRATOR_BROKER_URL": "redis://:hush-hush@127.0.0.1:{free}/0"}, 6, "broker does not answer"
    ),
    "broker URL is of another kind": Refusal(
        {"ORCHESTRATOR_BROKER_URL": "pyamqp://me:hush-hush@127.0.0.1:{free}//"},
        7,
        "ORCHESTRATOR_BROKER_URL cannot be used",
    ),
    "catalog is not there": Refusal({"ORCHESTRATOR_CATALOG": "no_such_package"}, 7, "no_such_package"),
}


@pytest.mark.parametrize("refusal", BROKEN.values(), ids=BROKEN)
def test_a_set_up_that_cannot_work_is_refused_with_a_sentence(tmp_path: Path, refusal: Refusal) -> None:
    (tmp_path / "a file").touch()
    web, flower, free = free_ports(3)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        given = {name: value.format(taken=port, free=free) for name, value in refusal.environment.items()}
        ports = {"ORCHESTRATOR_PORT": str(web), "ORCHESTRATOR_FLOWER_PORT": str(flower)}
        ended = subprocess.run(
            command("up"),
            cwd=tmp_path,
            env=clean_environment(**(ports | given)),
            capture_output=True,
            text=True,
            timeout=60,
        )
    assert ended.returncode == refusal.status, ended.stderr
    assert refusal.says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "hush-hush" not in ended.stdout + ended.stderr


def test_a_database_that_lacks_migrations_is_refused_when_migrating_is_not_wished_for(tmp_path: Path) -> None:
    web, flower = free_ports(2)
    environment = clean_environment(ORCHESTRATOR_PORT=str(web), ORCHESTRATOR_FLOWER_PORT=str(flower))
    ended = subprocess.run(
        command("up", "--no-migrate"), cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert ended.returncode == 1
    assert "run `orchestrator db upgrade`" in ended.stderr
