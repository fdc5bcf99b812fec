"""DBOS: durable workflows as a library on PostgreSQL, by its queue, with its defaults."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg

from bench.contenders.core import PROGRAMS
from bench.ground import Ground, environment, halted, peer_python, program, wait_for
from bench.orders import Orders, taking_orders

_ENDED = "SELECT count(*) FROM dbos.workflow_status WHERE status = 'SUCCESS'"
_RATE = """
SELECT 1000.0 * count(*) / (max(o.completed_at_epoch_ms) - min(o.started_at_epoch_ms))
FROM dbos.operation_outputs o JOIN dbos.workflow_status w USING (workflow_uuid) WHERE w.created_at > %s
"""
_NOW = "SELECT coalesce(max(created_at), 0) FROM dbos.workflow_status"


@dataclass(frozen=True)
class _Standing:
    connection: psycopg.Connection[Any]
    working: tuple[subprocess.Popen[bytes], ...]
    starter: Orders

    def throughput(self, processes: int, *, prefilled: bool) -> float:
        """Steps a second."""
        before, since = self._value(_ENDED), self._value(_NOW)
        with ExitStack() as standing:
            for one in self.working:
                standing.enter_context(halted(one, wanted=prefilled))
            self.starter.give(processes)
        wait_for(lambda: self._value(_ENDED) >= before + processes, 120, "DBOS did not end", 0.1)
        return float(self._value(_RATE, since))

    def _value(self, statement: str, *values: object) -> Any:
        row = self.connection.execute(statement, values).fetchone()
        assert row is not None
        return row[0]


@dataclass(frozen=True)
class Dbos:
    """As many processes as the others have children; each takes what it finds in the queue."""

    @contextmanager
    def standing(self, ground: Ground, *, children: int = 2, events: bool = False) -> Iterator[_Standing]:
        """Start it on a database of its own, and warm it up; it knows no task events."""
        assert not events
        with ground.new_database() as url, ExitStack() as stack:
            variables = environment(BENCH_DATABASE_URL=url, PYTHONPATH=str(PROGRAMS))
            command, log = [python(), "-m", "dbos_program"], ground.folder / "dbos.log"
            starter = stack.enter_context(taking_orders([*command, "start"], log, variables, PROGRAMS))
            starter.receive()  # it has made the tables
            working = tuple(
                stack.enter_context(program([*command, "work"], log, variables, PROGRAMS)) for _ in range(children)
            )
            connection = stack.enter_context(psycopg.connect(url, autocommit=True))
            one = _Standing(connection, working, starter)
            one.throughput(6, prefilled=False)
            yield one


def python() -> str:
    """Its environment's Python."""
    return str(peer_python("dbos", "dbos>=3,<4"))
