"""This project, with its production defaults, by the commands of its Procfile."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

from bench.contenders.tabled import Tabled
from bench.flower import flower
from bench.ground import REPOSITORY, Ground, environment, halted, program
from bench.orders import taking_orders
from bench.tables import Tables
from orchestrator.embedded.procfile import read_procfile
from orchestrator.storage.migrating import Migrations

CATALOG = "bench.programs.our_catalog"
TABLES = Tables(status="status", key="seq", reference="process_seq")
_TEMPLATE = "bench_ours"


@dataclass(frozen=True)
class Ours:
    """One worker and a clock.

    Attributes:
        burst: seconds that a child goes on with the steps of one process; 0 as by default.
    """

    burst: float = 0.0

    @contextmanager
    def standing(self, ground: Ground, *, children: int = 2, events: bool = False) -> Iterator[Tabled]:
        """Start it on a database of its own, and warm it up."""
        ground.empty_broker()
        log = ground.folder / "ours-start.log"
        with database(ground) as url:
            variables = self.variables(ground, url, children, events=events)
            command = [sys.executable, "-m", "bench.programs.start_ours"]
            with (
                flower(ground, wanted=events, of_ours=variables),
                workers(ground, variables) as worker,
                taking_orders(command, log, variables, REPOSITORY) as starter,
            ):
                starter.receive()

                def start(workflow: str, count: int, *, pause: float = 0.0, held: bool = False) -> None:
                    with halted(worker, wanted=held):
                        starter.give(workflow, count, pause)

                one = Tabled(url, TABLES, start, (worker.pid,))
                one.warm_up()
                yield one

    def variables(self, ground: Ground, url: str, children: int, *, events: bool = False) -> dict[str, str]:
        """The settings of all its processes."""
        path = f"{Path(sys.executable).parent}:{environment()['PATH']}"
        return environment(
            PATH=path,
            ORCHESTRATOR_DATABASE_URL=url,
            ORCHESTRATOR_BROKER_URL=ground.broker_url,
            ORCHESTRATOR_CATALOG=CATALOG,
            ORCHESTRATOR_SECRET_KEY="a key of the benchmark",
            ORCHESTRATOR_WORKER_CONCURRENCY=str(children),
            ORCHESTRATOR_TASK_EVENTS="true" if events else "false",
            **({"ORCHESTRATOR_BURST_SECONDS": str(self.burst)} if self.burst else {}),
        )


@contextmanager
def database(ground: Ground) -> Iterator[str]:
    """A migrated database of its own; its URL."""
    _make_template(ground)
    with ground.new_database(template=_TEMPLATE) as url:
        yield url


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
