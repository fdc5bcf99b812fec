"""orchestrator-core with its Celery executor, with its websocket broadcasts (its default) and without."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from bench.contenders.tabled import Tabled
from bench.flower import flower
from bench.ground import Ground, environment, halted, peer_python, program
from bench.orders import Orders, taking_orders
from bench.tables import Tables

# Apart from this project's own package, whose name is the same.
PROGRAMS = Path(__file__).parents[1] / "peers"
TABLES = Tables(status="last_status", key="pid", reference="pid")
_TEMPLATE = "bench_core"


@dataclass(frozen=True)
class Core:
    """A worker; a whole workflow is one Celery task."""

    websockets: bool = True

    @contextmanager
    def standing(self, ground: Ground, *, children: int = 2, events: bool = False) -> Iterator[Tabled]:
        """Start it on a database of its own, and warm it up."""
        ground.empty_broker()
        with database(ground) as url, flower(ground, wanted=events):
            variables = settings(ground, url, websockets=self.websockets, events=events)
            with self._worker(ground, variables, children) as worker, program_of(ground, variables, "start") as starter:
                starter.receive()

                def start(workflow: str, count: int, *, pause: float = 0.0, held: bool = False) -> None:
                    with halted(worker, wanted=held):
                        starter.give(workflow, count, pause)

                one = Tabled(url, TABLES, start, (worker.pid,))
                one.warm_up()
                yield one

    @contextmanager
    def _worker(self, ground: Ground, variables: Mapping[str, str], children: int) -> Iterator[subprocess.Popen[bytes]]:
        command = [str(python()), "-m", "celery", "--app", "core_worker", "worker"]
        command += ["--concurrency", str(children), "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        command += ["--queues", "new_tasks,new_workflows,resume_tasks,resume_workflows"]
        with program(command, ground.folder / "core-worker.log", variables, PROGRAMS) as worker:
            yield worker


def python() -> str:
    """Its environment's Python."""
    return str(peer_python("orchestrator-core", "orchestrator-core[celery]==5.5.*"))


@contextmanager
def database(ground: Ground) -> Iterator[str]:
    """A migrated database of its own; its URL."""
    _make_template(ground)
    with ground.new_database(template=_TEMPLATE) as url:
        yield url


def settings(
    ground: Ground, url: str, *, websockets: bool = False, events: bool = False, executor: str = "celery"
) -> dict[str, str]:
    """The environment of all its processes."""
    return environment(
        PYTHONPATH=str(PROGRAMS),
        DATABASE_URI=make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False),
        CACHE_URI=ground.broker_url,
        EXECUTOR=executor,
        TESTING="False",
        ENABLE_WEBSOCKETS=str(websockets),
        WEBSOCKET_BROADCASTER_URL=ground.broker_url,
        OAUTH2_ACTIVE="False",
        OAUTH2_AUTHORIZATION_ACTIVE="False",
        LOG_LEVEL="INFO",
        LITELLM_LOCAL_MODEL_COST_MAP="True",
        BENCH_BROKER_URL=ground.broker_url,
        BENCH_EVENTS="1" if events else "0",
    )


@contextmanager
def program_of(ground: Ground, variables: Mapping[str, str], *words: str) -> Iterator[Orders]:
    """One of what `core_program.py` can be, waiting for orders."""
    command = [python(), "-m", "core_program", *words]
    with taking_orders(command, ground.folder / "core-program.log", variables, PROGRAMS) as running:
        yield running


def _make_template(ground: Ground) -> None:
    with psycopg.connect(ground.database_url, autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = %s", [_TEMPLATE]).rowcount:
            return
        connection.execute(f"CREATE DATABASE {_TEMPLATE}")
    log = ground.folder / "core-migrate.log"
    command = [python(), "-m", "core_program", "migrate"]
    with program(command, log, settings(ground, ground.url_of(_TEMPLATE)), PROGRAMS) as running:
        if running.wait(300):
            raise RuntimeError(f"orchestrator-core could not be migrated: {log.read_text()[-4000:]}")
