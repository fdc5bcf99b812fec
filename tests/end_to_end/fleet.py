"""Workers, clocks and a web server, each started by its own command line, as many as a test wants, and a broker of
theirs that can be stopped and frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import redis
from psycopg.rows import dict_row

from orchestrator.cli.demo import free_ports
from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.storage.database import libpq_url
from tests.end_to_end.api_client import ApiClient, Json, wait_until
from tests.end_to_end.rabbitmq_server import RabbitServer
from tests.end_to_end.running_system import REPOSITORY, Gate, folder_for_servers
from tests.end_to_end.up_on_test import clean_environment
from tests.own_valkey import own_valkey

PATIENCE = 60.0

Broker = ValkeyServer | RabbitServer


@dataclass
class Member:
    """One of its processes of the operating system, the leader of a group of its own."""

    process: subprocess.Popen[bytes]
    log: Path

    def said(self) -> str:
        """All that it has said."""
        return self.log.read_text(errors="replace")

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to its main process."""
        self.process.send_signal(number)

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to it and its children."""
        os.killpg(self.process.pid, number)

    def wait_until_it_said(self, words: str, seconds: float = PATIENCE) -> None:
        """Wait for it."""
        wait_until(lambda: words in self.said(), lambda: f"never said {words!r}:\n{self.said()[-4000:]}", seconds)

    def stop(self) -> None:
        """End it and whatever it has started."""
        with suppress(ProcessLookupError):
            self.signal_all(signal.SIGKILL)
        self.process.wait()


@dataclass
class Fleet(ApiClient):
    """What runs on one database with one broker."""

    folder: Path
    database_url: str
    broker: Broker
    environment: dict[str, str]
    api: httpx.Client = field(default_factory=httpx.Client)
    members: list[Member] = field(default_factory=list)

    def start_member(self, *words: str) -> Member:
        """Start a process of the operating system."""
        log = self.folder / f"{len(self.members)}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / words[0]), *words[1:]],
                cwd=self.folder,
                env=self.environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        member = Member(process, log)
        self.members.append(member)
        return member

    def worker(self, application: str = "orchestrator.worker") -> Member:
        """A worker, which is not waited for; it says `ready.`"""
        words = ("--without-gossip", "--without-mingle", "--loglevel", "INFO", "--hostname", f"{uuid4().hex}@test")
        return self.start_member("celery", "--app", application, "worker", *words)

    def clock(self) -> Member:
        """A clock, which is not waited for; it says `this clock leads`."""
        return self.start_member("celery", "--app", "orchestrator.worker", "beat", "--loglevel", "INFO", "--pidfile=")

    def web(self) -> Member:
        """The web server that `api` speaks to, which is waited for."""
        (port,) = free_ports(1)
        words = ("--no-control-socket", "--worker-class", "gthread", "--threads", "4", "--bind", f"127.0.0.1:{port}")
        member = self.start_member("gunicorn", *words, "orchestrator.wsgi:application")
        self.api.close()
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)

        def answers() -> bool:
            try:
                return self.api.get("/api/health/live").is_success
            except httpx.TransportError:
                return False

        wait_until(answers, member.said)
        return member

    def rows(self, statement: str, **values: Any) -> list[Json]:
        """The rows of a statement, each on a connection of its own."""
        with psycopg.connect(libpq_url(self.database_url), row_factory=dict_row) as connection:
            result = connection.execute(statement, values)  # type: ignore[call-overload]
            return result.fetchall() if result.description else []

    def count(self, status: str) -> int:
        """How many processes have this status."""
        (row,) = self.rows("SELECT count(*) AS number FROM processes WHERE status = %(status)s", status=status)
        return int(row["number"])

    def new_gate(self) -> Gate:
        """A gate that nobody has come to."""
        return Gate(self.folder, f"gate-{uuid4().hex[:12]}")

    def broker_client(self) -> redis.Redis:
        """A client of the broker, which is a Valkey."""
        return redis.Redis.from_url("unix" + self.broker.url.removeprefix("redis+socket"))

    def signal_broker(self, number: signal.Signals) -> None:
        """Send a signal to the broker."""
        assert self.broker._process is not None
        self.broker._process.send_signal(number)


@contextmanager
def valkey_server() -> Iterator[ValkeyServer]:
    """A Valkey that is ready, until the end of this."""
    with folder_for_servers() as folder, own_valkey(folder / "data") as server:
        yield server


@contextmanager
def new_fleet(database_url: str, broker: Broker, **settings: str) -> Iterator[Fleet]:
    """Nothing as yet, on a database that has the catalog on test."""
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for_servers())
        environment = clean_environment(
            ORCHESTRATOR_DATABASE_URL=database_url,
            ORCHESTRATOR_BROKER_URL=broker.url,
            ORCHESTRATOR_SECRET_KEY="the key of these tests",
            ORCHESTRATOR_CATALOG="catalog_on_test",
            ORCHESTRATOR_WORKER_CONCURRENCY="2",
            CATALOG_ON_TEST_FOLDER=str(folder),
            PYTHONPATH=f"{REPOSITORY}:{Path(__file__).parent}",
            **settings,
        )
        fleet = Fleet(folder, database_url, broker, environment)
        try:
            yield fleet
        finally:
            fleet.api.close()
            for member in fleet.members:
                member.stop()
            fleet.signal_broker(signal.SIGCONT)
