"""Processes that wait for a worker and have no bell: found by comparing how many wait with how many bells there are."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final

import psycopg

from orchestrator.engine.bell import Ring
from orchestrator.storage.sweep_statements import COUNT_RUNNABLE, RING_FORGOTTEN

_AGAIN_SECONDS = 3.0
# Bells that mean nothing any more can make a queue look as if all who wait had theirs.
_DOUBT_SECONDS = 60.0
_LONGEST_DOUBT_SECONDS = 3_600.0
_DOUBTED_PART: Final = 1_000

QueueOf = Callable[[str, bool], str]


def one_queue(_target: str, _is_task: bool) -> str:
    """All bells go to one queue."""
    return ""


@dataclass
class _Waiting:
    """Who waits for a bell in one queue: how many processes, of which targets (with whether they are tasks)."""

    count: int = 0
    kinds: list[tuple[str, bool]] = field(default_factory=list)


@dataclass
class _Doubt:
    """When a queue that seems to have all its bells is doubted next, and how long after that."""

    at: float
    pause: float


class Forgotten:
    """Each queue is looked at by itself: bells in one that nobody reads hide nothing of another."""

    def __init__(self, queue_of: QueueOf) -> None:
        """`queue_of`: the queue that bells for a target go to, for a task or not."""
        self._queue_of = queue_of
        self._doubts: dict[str, _Doubt] = {}

    def find(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        queued: Callable[[], Mapping[str, int] | None],
        most: int,
    ) -> list[Ring]:
        """Rings for as many as have no bell.

        A queue that drains normally is as long as what waits, but for the few messages that workers have just been
        handed, so it gets hardly any bell twice. Where nothing seems to be missing for a minute, the thousandth part
        of those who wait is rung for, after pauses that double.

        Args:
            connection: of the clock that leads.
            queued: how many bells each queue has, None when the broker does not answer; asked only when any wait.
            most: how many rings each queue is given at once.
        """
        waiting: defaultdict[str, _Waiting] = defaultdict(_Waiting)
        for target, is_task, count in connection.execute(COUNT_RUNNABLE).fetchall():
            queue = waiting[self._queue_of(target, is_task)]
            queue.count += count
            queue.kinds.append((target, is_task))
        self._doubts = {name: doubt for name, doubt in self._doubts.items() if name in waiting}
        lengths = queued() if waiting else None
        if lengths is None:
            return []
        rings = []
        for name, queue in waiting.items():
            missing, again = queue.count - lengths.get(name, 0), _AGAIN_SECONDS
            if missing <= 0 and self._is_doubted(name):
                missing, again = math.ceil(queue.count / _DOUBTED_PART), _DOUBT_SECONDS
            if missing > 0:
                targets, tasks = zip(*queue.kinds, strict=True)
                values = {
                    "targets": list(targets),
                    "tasks": list(tasks),
                    "again": again,
                    "most": min(missing, most),
                }
                rings += [Ring(*row) for row in connection.execute(RING_FORGOTTEN, values).fetchall()]
        return rings

    def _is_doubted(self, queue: str) -> bool:
        now = monotonic()
        doubt = self._doubts.setdefault(queue, _Doubt(now + _DOUBT_SECONDS, _DOUBT_SECONDS))
        if now < doubt.at:
            return False
        doubt.pause = min(2 * doubt.pause, _LONGEST_DOUBT_SECONDS)
        doubt.at = now + doubt.pause
        return True
