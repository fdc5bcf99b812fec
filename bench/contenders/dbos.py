"""DBOS: durable workflows as a library on PostgreSQL, by its queue, with its defaults."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.contenders import Load
from bench.contenders.core import PROGRAMS
from bench.ground import Ground, environment, halted, peer_python, program, wait_for

_ENDED = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
_RATE = """
SELECT 1000.0 * count(*) / (max(o.completed_at_epoch_ms) - min(o.started_at_epoch_ms))
FROM dbos.operation_outputs o JOIN dbos.workflow_status w USING (workflow_uuid) WHERE w.created_at > %s
"""
_NOW = "SELECT coalesce(max(created_at), 0) FROM dbos.workflow_status"


@dataclass(frozen=True)
class Dbos:
    """As many processes as the others have children; each takes what it finds in the queue."""

    name: str = "DBOS queue"

    def throughput(self, ground: Ground, load: Load) -> float:
        """Steps a second."""
        with ground.new_database() as url, ExitStack() as stack:
            variables = environment(BENCH_DATABASE_URL=url, PYTHONPATH=str(PROGRAMS))
            self._run(ground, variables, "start", "0")
            log = ground.folder / "dbos-worker.log"
            working = [
                stack.enter_context(program([_python(), "-m", "dbos_program", "work"], log, variables, PROGRAMS))
                for _ in range(load.children)
            ]
            self._run(ground, variables, "start", "6")
            with psycopg.connect(url, autocommit=True) as connection:
                wait_for(lambda: _value(connection, _ENDED) >= 6, 60, "DBOS did not start")
                since = _value(connection, _NOW)
                with ExitStack() as standing:
                    for one in working:
                        standing.enter_context(halted(one, wanted=load.prefilled))
                    self._run(ground, variables, "start", str(load.processes))
                wait_for(lambda: _value(connection, _ENDED) >= load.processes + 6, 120, "DBOS did not end", 0.1)
                return float(_value(connection, _RATE, since))

    @staticmethod
    def _run(ground: Ground, variables: Mapping[str, str], *words: str) -> None:
        log = ground.folder / "dbos.log"
        with program([_python(), "-m", "dbos_program", *words], log, variables, PROGRAMS) as running:
            if running.wait(120):
                raise RuntimeError(f"DBOS: {words[0]} failed: {log.read_text()[-4000:]}")


def _python() -> str:
    return str(peer_python("dbos", "dbos>=3,<4"))


def _value(connection: psycopg.Connection[Any], statement: str, *values: object) -> Any:
    row = connection.execute(statement, values).fetchone()
    assert row is not None
    return row[0]
