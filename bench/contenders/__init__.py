"""Who is measured, by the same work: processes of ten trivial steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from bench.ground import Ground


@dataclass(frozen=True)
class Load:
    """The work of one run.

    Attributes:
        processes: how many, of ten steps each.
        children: processes of the operating system that run steps.
        prefilled: the queue is filled before the workers start; else while they run.
        events: whether Celery's task events are sent and read.
    """

    processes: int = 200
    children: int = 2
    prefilled: bool = True
    events: bool = False


class Contender(Protocol):
    """One system, set up in one way."""

    @property
    def name(self) -> str:
        """As the results call it."""

    def throughput(self, ground: Ground, load: Load) -> float:
        """Steps a second, from the first step's start to the last one's end."""


class Responsive(Contender, Protocol):
    """One that starts a process when it is told to, so that the time to its end can be taken."""

    def latency(self, ground: Ground, runs: int) -> list[float]:
        """Milliseconds from start to completed of one process after the other on an idle system."""
