"""Who is measured, by the same work: processes of ten trivial steps."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

from bench.ground import Ground


class Standing(Protocol):
    """A contender that was started, is warm and has nothing to do."""

    def throughput(self, processes: int, *, prefilled: bool) -> float:
        """Steps a second, from the first step's start to the last one's end.

        Args:
            processes: how many, of ten steps each.
            prefilled: the queue is filled while nobody takes from it; else while the workers run.
        """


@runtime_checkable
class Responsive(Standing, Protocol):
    """One that starts a process when it is told to, so that the time to its end can be taken."""

    def latencies(self, runs: int) -> list[float]:
        """Milliseconds from start to completed of one process after the other, with nothing else to do."""


class Contender(Protocol):
    """One system, set up in one way."""

    def standing(self, ground: Ground, *, children: int = 2, events: bool = False) -> AbstractContextManager[Standing]:
        """Start it, with so many processes of the operating system that run steps, and end it afterwards.

        Args:
            ground: the servers.
            children: processes that run steps.
            events: Celery's task events are sent, and Flower reads them.
        """
