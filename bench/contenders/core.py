"""orchestrator-core with its Celery executor, with its websocket broadcasts (its default) and without."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psycopg
from sqlalchemy import make_url

from bench.contenders import Load
from bench.flower import flower
from bench.ground import Ground, environment, halted, peer_python, program
from bench.tables import Tables

# Apart from this project's own package, whose name is the same.
PROGRAMS = Path(__file__).parents[1] / "peers"
TABLES = Tables(status="last_status", key="pid", reference="pid")
_TEMPLATE = "bench_core"
_TRIVIAL = "bench_trivial"


@dataclass(frozen=True)
class Core:
    """A worker with two children; its whole workflow is one Celery task."""

    name: str = "orchestrator-core"
    websockets: bool = True

    def throughput(self, ground: Ground, load: Load) -> float:
        """Steps a second."""
        with self.database(ground) as url:
            variables = self.variables(ground, url, events=load.events)
            with flower(ground, wanted=load.events), self.worker(ground, variables, load.children) as worker:
                since = self.warm_up(ground, variables, url)
                with halted(worker, wanted=load.prefilled):
                    start(ground, variables, _TRIVIAL, load.processes)
                TABLES.wait_until_completed(url, load.processes, since)
            return TABLES.rate(url, since)

    def latency(self, ground: Ground, runs: int) -> list[float]:
        """Milliseconds from the row of the process to that of its last step."""
        with self.database(ground) as url:
            variables = self.variables(ground, url)
            with self.worker(ground, variables, 2):
                since = self.warm_up(ground, variables, url)
                start(ground, variables, _TRIVIAL, runs, pause=0.25)
                TABLES.wait_until_completed(url, runs, since)
            return TABLES.latencies(url, since)

    @contextmanager
    def database(self, ground: Ground) -> Iterator[str]:
        """A migrated database of its own."""
        self._make_template(ground)
        with ground.new_database(template=_TEMPLATE) as url:
            yield url

    def variables(self, ground: Ground, url: str, *, events: bool = False) -> dict[str, str]:
        """The settings of all its processes."""
        ground.empty_broker()
        return environment(
            PYTHONPATH=str(PROGRAMS),
            DATABASE_URI=make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False),
            CACHE_URI=ground.broker_url,
            EXECUTOR="celery",
            TESTING="False",
            ENABLE_WEBSOCKETS=str(self.websockets),
            WEBSOCKET_BROADCASTER_URL=ground.broker_url,
            OAUTH2_ACTIVE="False",
            OAUTH2_AUTHORIZATION_ACTIVE="False",
            LOG_LEVEL="INFO",
            LITELLM_LOCAL_MODEL_COST_MAP="True",
            BENCH_BROKER_URL=ground.broker_url,
            BENCH_EVENTS="1" if events else "0",
        )

    def _make_template(self, ground: Ground) -> None:
        with psycopg.connect(ground.database_url, autocommit=True) as connection:
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [_TEMPLATE]).rowcount:
                return
            connection.execute(f"CREATE DATABASE {_TEMPLATE}")
        _run(ground, self.variables(ground, ground.url_of(_TEMPLATE)), "migrate")

    @contextmanager
    def worker(self, ground: Ground, variables: Mapping[str, str], children: int) -> Iterator[subprocess.Popen[bytes]]:
        """A worker by Celery's command."""
        command = [str(python()), "-m", "celery", "--app", "core_worker", "worker"]
        command += ["--concurrency", str(children), "--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        command += ["--queues", "new_tasks,new_workflows,resume_tasks,resume_workflows"]
        with program(command, ground.folder / "core-worker.log", variables, PROGRAMS) as worker:
            yield worker

    def warm_up(self, ground: Ground, variables: Mapping[str, str], url: str) -> datetime:
        """Let each child run something; when that was over."""
        began = TABLES.now(url)
        start(ground, variables, _TRIVIAL, 6)
        TABLES.wait_until_completed(url, 6, began)
        return TABLES.now(url)


def python() -> str:
    """Its environment's Python."""
    return str(peer_python("orchestrator-core", "orchestrator-core[celery]==5.5.*"))


def start(ground: Ground, variables: Mapping[str, str], workflow: str, count: int, *, pause: float = 0.0) -> None:
    """Start so many processes as its API does, and wait until they are started."""
    _run(ground, variables, "start", workflow, str(count), str(pause))


def _run(ground: Ground, variables: Mapping[str, str], *words: str) -> None:
    log = ground.folder / "core.log"
    with program([python(), "-m", "core_program", *words], log, variables, PROGRAMS) as running:
        if running.wait(300):
            raise RuntimeError(f"orchestrator-core: {words[0]} failed: {log.read_text()[-4000:]}")
