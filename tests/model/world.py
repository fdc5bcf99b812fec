"""What outlives one order of events: the database, the workers, an operator, the clock."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import suppress
from typing import Any, Final

import psycopg

from orchestrator.engine.sweep import Sweep
from orchestrator.errors import OrchestratorError
from orchestrator.language.catalog import Catalog
from orchestrator.language.vocabulary import Actor
from orchestrator.migrations.catalog import create_workflow
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, libpq_url
from tests.integration.engine.engine_on_test import SECRET_KEY
from tests.model.scene import Scene
from tests.model.workers import HeldWorker
from tests.model.workflows import workflows_of

OPERATOR: Final = Actor("operator")
WORKERS: Final = 3
_OPERATORS: Final = "tests"  # as the fixture `database` calls its connections
_GIVE_UP_AFTER: Final = 60.0
_A_MOMENT: Final = 0.005

# The server tells that it started when the model says so: what was claimed before that is left alone for a while.
_RESTARTS = """
CREATE SCHEMA model;
CREATE TABLE model.server (started_at timestamptz NOT NULL);
INSERT INTO model.server VALUES (now() - interval '1 hour');
CREATE FUNCTION model.pg_postmaster_start_time() RETURNS timestamptz STABLE LANGUAGE sql
    AS $$ SELECT started_at FROM model.server $$;
CREATE TABLE ledger (process text NOT NULL, step text NOT NULL);
"""

# An hour passes for all rows that nobody is about to change.
_PASS_TIME = """
WITH s AS (UPDATE model.server SET started_at = started_at - interval '1 hour')
UPDATE processes SET rung_at = rung_at - interval '1 hour', claimed_at = claimed_at - interval '1 hour'
WHERE seq IN (SELECT seq FROM processes FOR UPDATE SKIP LOCKED)
"""

_BLOCKED = """
SELECT application_name FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND pg_blocking_pids(pid) <> '{}'
"""


class World:
    """A database with workers whose steps are held. `scene` is that of the present order of events."""

    def __init__(self, database: Database, url: str) -> None:
        self.database, self.url = database, url
        self.scene = Scene()
        self.admin = psycopg.connect(libpq_url(url), autocommit=True, application_name="model")
        self.admin.execute(_RESTARTS)
        name = self.rows("SELECT current_database()")[0][0]
        self.admin.execute(f"ALTER DATABASE {name} SET search_path = model, pg_catalog, public")
        database.engine.dispose()
        catalog = Catalog()
        for workflow in workflows_of(lambda: self.scene):
            catalog.add_workflow(workflow)
            with database.engine.begin() as connection:
                create_workflow(connection, {"name": workflow.name, "target": "SYSTEM", "description": workflow.name})
        self.context = Context(database, catalog, self, Settings(secret_key=SECRET_KEY))
        self.ring = lambda rings: self.scene.ring(rings)
        self.workers = [HeldWorker(f"worker-{number}", url, catalog, self.scene) for number in range(WORKERS)]
        self.sweep = Sweep(url)
        self._operations = ThreadPoolExecutor(8)
        self.pending: list[Future[Any]] = []

    def begin(self) -> Scene:
        """Forget everything of the order of events before."""
        self.rows("DELETE FROM processes; DELETE FROM ledger; UPDATE engine_settings SET paused = false")
        self.scene = Scene()
        for worker in self.workers:
            worker.scene = self.scene
        return self.scene

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement, on a connection apart."""
        cursor = self.admin.execute(statement.encode(), values or None)
        return cursor.fetchall() if cursor.description else []

    def with_state(self, **wanted: bool) -> list[HeldWorker]:
        """The workers of which all of this is so: is_idle, is_held, is_under_way."""
        return [one for one in self.workers if all(getattr(one, name) == value for name, value in wanted.items())]

    def hear(self, worker: HeldWorker, seq: int) -> None:
        """A worker takes a bell and comes to its first point."""
        worker.take(seq)
        self.settle()

    def go_on(self, worker: HeldWorker) -> None:
        """A worker goes on to the next point, to its end, or to where the database holds it."""
        worker.let_go_on()
        self.settle()

    def finish(self, worker: HeldWorker) -> None:
        """A worker goes on to its end, or to where the database holds it."""
        while worker.is_held:
            self.go_on(worker)

    def operate(self, operation: Callable[[], Any]) -> None:
        """An operator does something, or waits while a worker that is held holds the row."""
        self.pending.append(self._operations.submit(operation))
        self.settle()

    def settle(self) -> None:
        """Wait until nobody moves: all are held at a point, or wait for a lock of the database."""
        patience = time.monotonic() + _GIVE_UP_AFTER
        while True:
            for worker in self.workers:
                worker.look(_A_MOMENT if worker.is_under_way else 0)
            wait(self.pending, _A_MOMENT)
            self._settle_operations()
            moving = self.with_state(is_under_way=True)
            if not moving and not self.pending:
                return
            blocked = [name for (name,) in self.rows(_BLOCKED)]
            at_rest = all(worker.connection.name in blocked for worker in moving)
            if at_rest and blocked.count(_OPERATORS) >= len(self.pending):
                return
            assert time.monotonic() < patience, f"{[worker.name for worker in moving]} never come to a point"

    def _settle_operations(self) -> None:
        for future in [future for future in self.pending if future.done()]:
            self.pending.remove(future)
            with suppress(OrchestratorError):  # what is not possible now is refused
                future.result()

    def kill(self, worker: HeldWorker) -> None:
        """A worker dies at this point, and another takes its place."""
        name = worker.connection.name
        worker.crashed = True
        worker.connection.kill()
        self.finish(worker)
        self.await_end([name])
        worker.connection.discard()  # what was left of it in this process of Python, which did not die
        worker.begin_anew()

    def cut(self, names: Iterable[str]) -> None:
        """End connections; their owners do not know it yet."""
        wanted = [name for name in names if name]
        for worker in self.workers:
            if worker.connection.name in wanted:
                worker.cut = worker.connection.name
        self.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = ANY(%(n)s)", n=wanted
        )
        self.await_end(wanted)

    def restart(self) -> None:
        """All connections end at once, and the server tells that it has just started."""
        names = [worker.connection.name for worker in self.workers]
        self.sweep.close()
        self.rows("UPDATE model.server SET started_at = clock_timestamp()")
        self.cut(names)
        if not self.pending:  # whose connection would be left open, and belong to nobody
            self.database.engine.dispose()

    def await_end(self, names: list[str]) -> None:
        """Wait until the server has noticed that connections are gone."""
        there = "SELECT pid FROM pg_stat_activity WHERE application_name = ANY(%(names)s)"
        patience = time.monotonic() + _GIVE_UP_AFTER
        while self.rows(there, names=[name for name in names if name]):
            assert time.monotonic() < patience, "a connection does not end"
            time.sleep(0.002)
        self.settle()

    def look_around(self) -> set[int]:
        """An hour passes, and the clock looks; whom it rings for."""
        self.rows(_PASS_TIME)
        found = self.sweep.find(lambda: {"": len(self.scene.bells)})
        self.scene.ring(found)
        return {ring.seq for ring in found}

    def close(self) -> None:
        """End everything."""
        for worker in self.workers:
            with suppress(AssertionError):
                self.finish(worker)
            worker.connection.discard()
        self._operations.shutdown(cancel_futures=True)
        self.sweep.close()
        self.admin.close()
