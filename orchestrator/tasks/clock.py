"""The clock: a scheduler for `celery beat` that does its work straight from the database, once a second.

It never depends on a queue being empty. Several may run: the leader holds an advisory lock, the others stand by.
"""

from __future__ import annotations

from typing import Any

import psycopg
import structlog
from celery.beat import Scheduler

from orchestrator.engine.bell import CountingBell, Ring
from orchestrator.engine.sweep import Sweep
from orchestrator.tasks.schedule_runner import ScheduleRunner

log = structlog.get_logger(__name__)

_TICK_SECONDS = 1.0
_BATCH = 200


class Clock(Scheduler):
    """Wakes what is due, rings for what was forgotten, and has schedules run."""

    def __init__(self, *args: Any, sweep: Sweep, bell: CountingBell, schedules: ScheduleRunner, **options: Any) -> None:
        """Celery builds it, from the partial that bootstrap puts into `beat_scheduler` with the first arguments."""
        self._sweep = sweep
        self._bell = bell
        self._schedules = schedules
        self._leads = False
        super().__init__(*args, **options)

    def setup_schedule(self) -> None:
        """Nothing: what is scheduled stands in the database."""

    def tick(self, *_: Any, **__: Any) -> float:
        """One look; returns the seconds until the next."""
        try:
            rings = self._sweep.find(self._bell.queued)
        except psycopg.Error as error:
            log.warning("the clock cannot reach the database", error=str(error).strip())
            return _TICK_SECONDS
        if self._sweep.leads != self._leads:
            self._leads = self._sweep.leads
            log.info("this clock leads" if self._leads else "this clock stands by")
        self._schedules.tick(self._leads)
        if rings:
            self._ring(rings)
        return _TICK_SECONDS

    def _ring(self, rings: list[Ring]) -> None:
        sent = 0
        try:
            for first in range(0, len(rings), _BATCH):
                batch = rings[first : first + _BATCH]
                sent_of_batch = self._bell.ring(batch)
                sent += sent_of_batch
                self._sweep.keep_lead()
                if sent_of_batch < len(batch):
                    break  # the broker is away, the others are found again
        except psycopg.Error as error:
            log.warning("the clock lost the database, or its lead", error=str(error).strip())
        log.info("the sweep rang", found=len(rings), sent=sent)

    def close(self) -> None:
        """Give up the lead."""
        self._schedules.close()
        self._sweep.close()
        super().close()

    @property
    def info(self) -> str:
        """What beat prints at its start."""
        return "    . schedule -> database"
