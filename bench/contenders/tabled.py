"""A contender whose own tables tell what it did: this project, and orchestrator-core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString, Protocol

from bench.tables import Tables

TRIVIAL = "bench_trivial"


class Start(Protocol):
    """Starts processes; with `held` nobody runs them before all are started."""

    def __call__(self, workflow: str, count: int, *, pause: float = 0.0, held: bool = False) -> None:
        """So many of a workflow, with seconds of pause between two."""


@dataclass(frozen=True)
class Tabled:
    """One that stands on a database of its own.

    Attributes:
        url: of the database.
        tables: how its tables are read.
        start: starts processes.
        running: the processes that run steps, or whose descendants do.
    """

    url: str
    tables: Tables
    start: Start
    running: tuple[int, ...]

    def warm_up(self, processes: int = 6) -> None:
        """Let each child run something."""
        began = self.tables.now(self.url)
        self.start(TRIVIAL, processes)
        self.tables.wait_until_completed(self.url, processes, began)

    def throughput(self, processes: int, *, prefilled: bool) -> float:
        """Steps a second."""
        return self.rate(TRIVIAL, processes, prefilled=prefilled)

    def rate(self, workflow: str, processes: int, *, prefilled: bool) -> float:
        """Steps a second of a workflow."""
        since = self.tables.now(self.url)
        self.start(workflow, processes, held=prefilled)
        self.tables.wait_until_completed(self.url, processes, since)
        return self.tables.rate(self.url, since)

    def latencies(self, runs: int) -> list[float]:
        """Milliseconds from the row of the process to that of its last step."""
        since = self.tables.now(self.url)
        self.start(TRIVIAL, runs, pause=0.2)
        self.tables.wait_until_completed(self.url, runs, since)
        return self.tables.latencies(self.url, since)

    def value(self, statement: LiteralString) -> float:
        """One number from the database; 0 for none."""
        return float(self.tables.value(self.url, statement) or 0)
