"""Bare Celery: the bound of what an orchestrator on Celery can reach that sends one message for each step."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.contenders import Load
from bench.flower import flower
from bench.ground import REPOSITORY, Ground, environment, halted, program, wait_for

_APPLICATION = "bench.programs.successor"


@dataclass(frozen=True)
class CeleryAlone:
    """A task that sends its successor; no database."""

    name: str = "Celery alone"

    def throughput(self, ground: Ground, load: Load) -> float:
        """Steps a second."""
        ground.empty_broker()
        with self._worker(ground, load) as worker, flower(ground, wanted=load.events):
            self._wait_until_up(ground)
            with halted(worker, wanted=load.prefilled):
                self._send(ground, load.processes)
            wait_for(lambda: self._count(ground, "ended") >= load.processes, 120, "Celery alone did not end")
            return load.processes * 10 / (max(self._journal(ground, "ended")) - min(self._journal(ground, "begun")))

    def latency(self, ground: Ground, runs: int) -> list[float]:
        """Milliseconds from sending the first message to the end of the last task."""
        ground.empty_broker()
        with self._worker(ground, Load()):
            self._wait_until_up(ground)
            for number in range(1, runs + 1):
                self._send(ground, 1)
                wait_for(lambda: self._count(ground, "ended") >= number, 30, "Celery alone did not end")  # noqa: B023
                time.sleep(0.1)
            return [1000 * seconds for seconds in self._journal(ground, "latencies")]

    @contextmanager
    def _worker(self, ground: Ground, load: Load) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "celery", "--app", _APPLICATION, "worker", "--concurrency", str(load.children)]
        command += ["--without-gossip", "--without-mingle", "--loglevel", "INFO"]
        with program(command, ground.folder / "celery.log", self._variables(ground, load.events), REPOSITORY) as worker:
            yield worker

    def _wait_until_up(self, ground: Ground) -> None:
        self._send(ground, 1)
        wait_for(lambda: self._count(ground, "ended") >= 1, 60, "the worker of Celery alone did not start")
        with ground.broker() as client:
            client.delete("begun", "ended", "latencies")

    def _send(self, ground: Ground, processes: int) -> None:
        code = f"from {_APPLICATION} import send; send({processes})"
        with program(
            [sys.executable, "-c", code], ground.folder / "celery.log", self._variables(ground), REPOSITORY
        ) as sender:
            sender.wait(60)

    @staticmethod
    def _variables(ground: Ground, events: bool = False) -> dict[str, str]:
        return environment(BENCH_BROKER_URL=ground.broker_url, BENCH_EVENTS="1" if events else "0")

    @staticmethod
    def _journal(ground: Ground, name: str) -> list[float]:
        with ground.broker() as client:
            return [float(entry) for entry in client.lrange(name, 0, -1)]

    @staticmethod
    def _count(ground: Ground, name: str) -> int:
        with ground.broker() as client:
            return int(client.llen(name))
