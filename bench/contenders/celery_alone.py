"""Bare Celery: the bound of what an orchestrator on Celery can reach that sends one message for each step."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.flower import flower
from bench.ground import REPOSITORY, Ground, environment, halted, program, wait_for
from bench.orders import Orders, taking_orders

_APPLICATION = "bench.programs.successor"


@dataclass(frozen=True)
class _Standing:
    ground: Ground
    worker: subprocess.Popen[bytes]
    sender: Orders

    def throughput(self, processes: int, *, prefilled: bool) -> float:
        """Steps a second."""
        self._forget()
        with halted(self.worker, wanted=prefilled):
            self.sender.give(processes)
        wait_for(lambda: self._count("ended") >= processes, 120, "Celery alone did not end")
        return processes * 10 / (max(self._journal("ended")) - min(self._journal("begun")))

    def latencies(self, runs: int) -> list[float]:
        """Milliseconds from sending the first message to the end of the last task."""
        self._forget()
        for number in range(1, runs + 1):
            self.sender.give(1)
            wait_for(lambda: self._count("ended") >= number, 30, "Celery alone did not end")  # noqa: B023
            time.sleep(0.1)
        return [1000 * seconds for seconds in self._journal("latencies")]

    def _forget(self) -> None:
        with self.ground.broker() as client:
            client.delete("begun", "ended", "latencies")

    def _journal(self, name: str) -> list[float]:
        with self.ground.broker() as client:
            return [float(entry) for entry in client.lrange(name, 0, -1)]

    def _count(self, name: str) -> int:
        with self.ground.broker() as client:
            return int(client.llen(name))


@dataclass(frozen=True)
class CeleryAlone:
    """A task that sends its successor; no database."""

    @contextmanager
    def standing(self, ground: Ground, *, children: int = 2, events: bool = False) -> Iterator[_Standing]:
        """Start it, and warm it up."""
        ground.empty_broker()
        variables = environment(BENCH_BROKER_URL=ground.broker_url, BENCH_EVENTS="1" if events else "0")
        log = ground.folder / "celery.log"
        command = [sys.executable, "-m", "celery", "--app", _APPLICATION, "worker", "--concurrency", str(children)]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        sending = [sys.executable, "-m", _APPLICATION]
        with (
            flower(ground, wanted=events),
            program(command, log, variables, REPOSITORY) as worker,
            taking_orders(sending, log, variables, REPOSITORY) as sender,
        ):
            sender.receive()
            one = _Standing(ground, worker, sender)
            one.throughput(6, prefilled=False)
            yield one
