"""This project, with its production defaults, by the commands of its Procfile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg

from bench.contenders import Load
from bench.flower import flower
from bench.ground import REPOSITORY, Ground, environment, halted, program
from bench.tables import Tables
from orchestrator.embedded.procfile import read_procfile
from orchestrator.storage.migrating import Migrations

CATALOG = "bench.programs.our_catalog"
TRIVIAL = "bench_trivial"
TABLES = Tables(status="status", key="seq", reference="process_seq")
_TEMPLATE = "bench_ours"


@dataclass(frozen=True)
class Ours:
    """One worker with two children and a clock."""

    name: str = "ours"
    burst: float = 0.0

    def throughput(self, ground: Ground, load: Load) -> float:
        """Steps a second."""
        with self.database(ground) as url:
            variables = self.variables(ground, url, load.children, events=load.events)
            with flower(ground, wanted=load.events), workers(ground, variables) as worker:
                since = warm_up(ground, variables, url)
                with halted(worker, wanted=load.prefilled):
                    start(ground, variables, TRIVIAL, load.processes)
                TABLES.wait_until_completed(url, load.processes, since)
            return TABLES.rate(url, since)

    def latency(self, ground: Ground, runs: int) -> list[float]:
        """Milliseconds from the row of the process to that of its last step."""
        with self.database(ground) as url:
            variables = self.variables(ground, url, 2)
            with workers(ground, variables):
                since = warm_up(ground, variables, url)
                start(ground, variables, TRIVIAL, runs, pause=0.25)
                TABLES.wait_until_completed(url, runs, since)
            return TABLES.latencies(url, since)

    @contextmanager
    def database(self, ground: Ground) -> Iterator[str]:
        """A migrated database of its own."""
        _make_template(ground)
        with ground.new_database(template=_TEMPLATE) as url:
            yield url

    def variables(self, ground: Ground, url: str, children: int, *, events: bool = False) -> dict[str, str]:
        """The settings of all its processes."""
        ground.empty_broker()
        path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
        return environment(
            PATH=path,
            ORCHESTRATOR_DATABASE_URL=url,
            ORCHESTRATOR_BROKER_URL=ground.broker_url,
            ORCHESTRATOR_CATALOG=CATALOG,
            ORCHESTRATOR_SECRET_KEY="bench",
            ORCHESTRATOR_WORKER_CONCURRENCY=str(children),
            ORCHESTRATOR_TASK_EVENTS="true" if events else "false",
            **({"ORCHESTRATOR_BURST_SECONDS": str(self.burst)} if self.burst else {}),
        )


def _make_template(ground: Ground) -> None:
    with psycopg.connect(ground.database_url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [_TEMPLATE]).rowcount:
            return
        connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    Migrations(ground.url_of(_TEMPLATE), [CATALOG]).upgrade()


@contextmanager
def workers(ground: Ground, variables: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A clock, and a worker, which it yields."""
    commands = {one.name: one.command for one in read_procfile(REPOSITORY / "Procfile")}
    with ExitStack() as stack:
        for name in ("beat", "worker"):
            command = ["/bin/sh", "-c", f"exec {commands[name]}"]
            running = stack.enter_context(program(command, ground.folder / f"ours-{name}.log", variables, REPOSITORY))
        yield running


def start(ground: Ground, variables: Mapping[str, str], workflow: str, count: int, *, pause: float = 0.0) -> None:
    """Start so many processes, and wait until they are started."""
    command = [sys.executable, "-m", "bench.programs.start_ours", workflow, str(count), str(pause)]
    with program(command, ground.folder / "ours-start.log", variables, REPOSITORY) as starter:
        if starter.wait(300):
            raise RuntimeError(f"processes could not be started: {(ground.folder / 'ours-start.log').read_text()}")


def warm_up(ground: Ground, variables: Mapping[str, str], url: str) -> datetime:
    """Let each child run something; when that was over."""
    began = TABLES.now(url)
    start(ground, variables, TRIVIAL, 6)
    TABLES.wait_until_completed(url, 6, began)
    return TABLES.now(url)
