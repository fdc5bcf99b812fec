"""The API while the database is gone, and when it is back."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from orchestrator.cli.demo import free_ports
from orchestrator.embedded.data_folder import DataFolder
from orchestrator.embedded.postgresql import PostgresqlServer
from tests.end_to_end.running_system import REPOSITORY, folder_for_servers, wait_until
from tests.end_to_end.up_on_test import clean_environment

pytestmark = pytest.mark.slow


@dataclass
class Web:
    """A web server of its own, and its database, which can be stopped."""

    api: httpx.Client
    database: PostgresqlServer
    log: Path


@contextmanager
def started(database: PostgresqlServer) -> Iterator[PostgresqlServer]:
    """A server that runs, and is stopped at the end."""
    try:
        database.begin()
        database.wait_until_ready()
        yield database
    finally:
        database.stop()


@pytest.fixture
def web() -> Iterator[Web]:
    """Gunicorn as the Procfile starts it, without a broker."""
    port, broker = free_ports(2)
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for_servers())
        data = stack.enter_context(DataFolder(folder / "data"))
        database = stack.enter_context(started(PostgresqlServer(data)))
        environment = clean_environment(
            ORCHESTRATOR_DATABASE_URL=database.url,
            ORCHESTRATOR_BROKER_URL=f"redis://127.0.0.1:{broker}/0",
            ORCHESTRATOR_SECRET_KEY="the key of these tests",
            ORCHESTRATOR_CATALOG="catalog_on_test",
            CATALOG_ON_TEST_FOLDER=str(folder),
            PYTHONPATH=f"{REPOSITORY}:{Path(__file__).parent}",
        )
        upgrade = [sys.executable, "-m", "orchestrator", "db", "upgrade"]
        subprocess.run(upgrade, cwd=folder, env=environment, check=True, capture_output=True, timeout=60)
        command = [
            sys.executable,
            "-m",
            "gunicorn",
            "--no-control-socket",
            "--worker-class",
            "gthread",
            "--threads",
            "4",
        ]
        log = folder / "web.log"
        with log.open("wb") as output:
            server = subprocess.Popen(
                [*command, "--bind", f"127.0.0.1:{port}", "orchestrator.wsgi:application"],
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as api:
                wait_until(lambda: answers(api), lambda: log.read_text())
                yield Web(api, database, log)
        finally:
            server.terminate()
            server.wait(30)


def answers(api: httpx.Client) -> bool:
    """Whether it lives."""
    try:
        return api.get("/api/health/live").is_success
    except httpx.TransportError:
        return False


def test_a_database_that_is_gone_is_503_until_it_is_back(web: Web) -> None:
    assert web.api.get("/api/processes/").status_code == 200
    web.database.stop()

    requests = [
        ("GET", "/api/processes/"),
        ("GET", "/api/processes/019a3f60-5c11-7c5e-9d55-0d3c3a2f1b02"),
        ("POST", "/api/processes/ten_steps"),
        ("PUT", "/api/processes/019a3f60-5c11-7c5e-9d55-0d3c3a2f1b02/resume"),
        ("GET", "/api/subscriptions/"),
        ("GET", "/api/products/"),
    ]
    for method, path in requests * 2:
        answer = web.api.request(method, path)
        assert answer.status_code == 503, answer.text
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.headers["Retry-After"]
        assert "database" in answer.json()["detail"]
    assert web.api.get("/api/health/live").status_code == 200
    assert web.api.get("/api/health/ready").status_code == 503

    web.database.begin()
    web.database.wait_until_ready()
    # At once: no connection of before is handed out again.
    assert {web.api.get("/api/processes/").status_code for _ in range(8)} == {200}
    assert "Traceback" not in web.log.read_text()


def test_a_broker_that_is_gone_does_not_keep_a_process_from_starting(web: Web) -> None:
    answer = web.api.post("/api/processes/ten_steps", json=[])
    assert answer.status_code == 201
    assert answer.elapsed.total_seconds() < 3, "a start does not wait for the broker"
    process = web.api.get(f"/api/processes/{answer.json()['id']}").json()
    assert process["last_status"] == "created"
    ready = web.api.get("/api/health/ready")
    assert ready.status_code == 503
    assert "roker" in ready.text
