"""A whole system as a person starts it, and a client that speaks to it from outside: HTTP, SQL and signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from psycopg.rows import dict_row

from orchestrator.cli.demo import free_ports
from tests.end_to_end.api_client import ApiClient, Json, done, row_of, wait_until
from tests.end_to_end.up_on_test import clean_environment, descendants

__all__ = [
    "REPOSITORY",
    "Gate",
    "Json",
    "RunningSystem",
    "done",
    "folder_for_servers",
    "row_of",
    "running_system",
    "wait_until",
]

REPOSITORY = Path(__file__).parents[2]
CATALOGS = "product_workflows,catalog_on_test"
CHILDREN = 2
_MEMORY = Path("/dev/shm")
_ENOUGH_MEMORY = 2_000_000_000
_LINES_OF_LOG = 150


@contextmanager
def folder_for_servers() -> Iterator[Path]:
    """A folder for the data of servers that live as long as a test: in memory, where there is room."""
    in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-end-to-end-", dir=_MEMORY if in_memory else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass(frozen=True)
class Gate:
    """A gate of the catalog on test: holds steps until it is opened, and counts their visits."""

    folder: Path
    name: str

    def open(self) -> None:
        """Let all pass, now and later."""
        (self.folder / f"{self.name}.open").touch()

    def visits(self) -> list[int]:
        """The processes of the operating system that came to it, one entry for each time."""
        visits = self.folder / f"{self.name}.visits"
        return [int(line) for line in visits.read_text().split()] if visits.exists() else []

    def wait_for_visits(self, count: int) -> list[int]:
        """Wait until so many have come."""
        wait_until(lambda: len(self.visits()) >= count, lambda: f"gate {self.name}: {self.visits()}, not {count}")
        return self.visits()


@dataclass
class RunningSystem(ApiClient):
    """An `orchestrator up` with the example product, the catalog on test and the lab, and a client of it."""

    folder: Path
    process: subprocess.Popen[bytes]
    api: httpx.Client
    flower: httpx.Client
    lab: httpx.Client

    # What runs

    @property
    def log(self) -> Path:
        """All that its processes say."""
        return self.folder / "up.log"

    def last_words(self) -> str:
        """The end of the log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_LINES_OF_LOG:])

    @cached_property
    def database_url(self) -> str:
        """Where its PostgreSQL is."""
        url: str = json.loads((self.folder / "data" / "running.json").read_text())["database_url"]
        return url

    def rows(self, statement: str, **values: Any) -> list[Json]:
        """The rows of a statement, each on a connection of its own."""
        url = self.database_url.replace("postgresql+psycopg:", "postgresql:")
        with psycopg.connect(url, row_factory=dict_row) as connection:
            result = connection.execute(statement, values)  # type: ignore[call-overload]
            return result.fetchall() if result.description else []

    def worker_children(self) -> set[int]:
        """The prefork children of the worker."""
        mains = [pid for pid in descendants(self.process.pid) if _is_worker(pid) and not _is_worker(parent_of(pid))]
        return {pid for main in mains for pid in descendants(main) if _is_worker(pid)}

    def server(self, program: str) -> int:
        """The main process of one of its servers, by the name of the program."""
        found = {pid for pid in descendants(self.process.pid) if program_of(pid) == program}
        (main,) = {pid for pid in found if parent_of(pid) not in found}
        return main

    def new_gate(self) -> Gate:
        """A gate that nobody has come to."""
        return Gate(self.folder, f"gate-{uuid4().hex[:12]}")

    def wait_until_ready(self) -> None:
        """Wait until the API, Flower, the lab and both worker children are there."""

        def ready() -> bool:
            assert self.process.poll() is None, f"it ended:\n{self.last_words()}"
            try:
                answers = [self.api.get("/api/health/ready"), self.lab.get("/lab/effects"), self.flower.get("/broker")]
            except httpx.TransportError:
                return False
            return all(answer.is_success for answer in answers) and len(self.worker_children()) == CHILDREN

        wait_until(ready, lambda: f"not ready:\n{self.last_words()}", 90)

    # What a client does, besides

    def occupy_all_children(self) -> set[int]:
        """Have a step run in every worker child at the same moment; return the children that ran one.

        Whatever a child did before has ended when this returns.
        """
        gates = [self.new_gate() for _ in range(CHILDREN)]
        started = [self.start("write_ledger", {"gate": gate.name}) for gate in gates]
        visitors = {gate.wait_for_visits(1)[0] for gate in gates}
        for gate in gates:
            gate.open()
        for process_id in started:
            self.wait_for(process_id, "completed")
        return visitors

    def product_id(self, name: str) -> str:
        """The id of a product."""
        products = self.api.get("/api/products/").json()
        return next(str(product["product_id"]) for product in products if product["name"] == name)

    def new_thing(self, colour: str = "red") -> str:
        """Make a subscription to the product of the catalog on test and return its id."""
        created = self.run("create_thing", {"product": self.product_id("Thing")}, {"colour": colour})
        return str(created["current_state"]["subscription_id"])


def program_of(pid: int) -> str:
    """The name of the program that a process runs; empty when it has ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def parent_of(pid: int) -> int:
    """The parent of a process; 0 when it has ended."""
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _is_worker(pid: int) -> bool:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return b"worker" in words and any(word.endswith(b"celery") for word in words)


@contextmanager
def running_system(**settings: str) -> Iterator[RunningSystem]:
    """Start everything in a folder of its own on free ports, wait until it is ready, and stop it at the end."""
    web, flower, lab = free_ports(3)
    urls = [f"http://127.0.0.1:{port}" for port in (web, flower, lab)]
    command = [
        Path(sys.executable).parent / "orchestrator",
        "up",
        "--procfile",
        REPOSITORY / "product_workflows/Procfile",
    ]
    with ExitStack() as stack:
        folder = stack.enter_context(folder_for_servers())
        environment = clean_environment(
            ORCHESTRATOR_CATALOG=CATALOGS,
            ORCHESTRATOR_DATA_DIR=str(folder / "data"),
            ORCHESTRATOR_PORT=str(web),
            ORCHESTRATOR_FLOWER_PORT=str(flower),
            ORCHESTRATOR_CODE_WAIT="2",
            ORCHESTRATOR_WORKER_CONCURRENCY=str(CHILDREN),
            LAB_PORT=str(lab),
            LAB_URL=urls[2],
            CATALOG_ON_TEST_FOLDER=str(folder),
            PYTHONPATH=f"{REPOSITORY}:{Path(__file__).parent}",
            **settings,
        )
        clients = [stack.enter_context(httpx.Client(base_url=url, timeout=30)) for url in urls]
        with (folder / "up.log").open("wb") as output:
            process = subprocess.Popen(
                list(map(str, command)),
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        system = RunningSystem(folder, process, *clients)
        try:
            system.wait_until_ready()
            # A run of the tests at midnight is as any other.
            system.rows("UPDATE schedules SET paused = true")
            yield system
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
