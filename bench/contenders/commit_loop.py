"""The bare commit loop: what a durable step costs when nothing hands it on."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import psycopg

from bench.ground import REPOSITORY, Ground, environment
from bench.orders import Orders, taking_orders

_TABLES = """
CREATE TABLE bench_processes (
    seq bigint PRIMARY KEY, position int NOT NULL DEFAULT 0, state jsonb NOT NULL DEFAULT '{}');
CREATE TABLE bench_steps (
    step_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, process_seq bigint NOT NULL, name text, status text,
    delta jsonb, completed_at timestamptz NOT NULL DEFAULT clock_timestamp());
CREATE INDEX ON bench_steps (process_seq);
"""
_PROCESSES = "INSERT INTO bench_processes (seq) SELECT generate_series(%s::bigint, %s)"


@dataclass
class _Standing:
    url: str
    clients: tuple[Orders, ...]
    next: int = 1

    def throughput(self, processes: int, *, prefilled: bool) -> float:
        """Steps a second; the rows are there, so it is filled before."""
        assert prefilled
        share = processes // len(self.clients)
        first = self._rows(share * len(self.clients))
        began = time.perf_counter()
        for number, client in enumerate(self.clients):
            client.send(share, first + number * share)
        for client in self.clients:
            client.receive()
        return share * len(self.clients) * 10 / (time.perf_counter() - began)

    def latencies(self, runs: int) -> list[float]:
        """Milliseconds of ten commits, one process after the other."""
        first = self._rows(runs)
        return [1000 * self.clients[0].give(1, first + number) for number in range(runs)]

    def _rows(self, count: int) -> int:
        first, self.next = self.next, self.next + count
        with psycopg.connect(self.url) as connection:
            connection.execute(_PROCESSES, [first, first + count - 1])
        return first


@dataclass(frozen=True)
class CommitLoop:
    """As many clients as there are worker children elsewhere, each in a loop."""

    @contextmanager
    def standing(self, ground: Ground, *, children: int = 2, events: bool = False) -> Iterator[_Standing]:
        """Connect the clients; it knows no task events."""
        assert not events
        log = ground.folder / "commit-loop.log"
        with ground.new_database() as url, ExitStack() as stack:
            with psycopg.connect(url) as connection:
                connection.execute(_TABLES)
            command = [sys.executable, "-m", "bench.programs.commit_loop", url]
            clients = [
                stack.enter_context(taking_orders(command, log, environment(), REPOSITORY)) for _ in range(children)
            ]
            for client in clients:
                client.receive()
            one = _Standing(url, tuple(clients))
            one.throughput(2 * children, prefilled=True)
            yield one
