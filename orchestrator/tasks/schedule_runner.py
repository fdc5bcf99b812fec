"""Runs what is due beside the clock's tick, in threads of its own: a start that is slow never holds up the sweep."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Lock
from typing import Final
from uuid import UUID

import structlog

from orchestrator.services.context import Context
from orchestrator.services.due_schedules import Agenda, read_agenda, run_due, run_unblocked
from orchestrator.storage.schedule_statements import Moment

log = structlog.get_logger(__name__)

_MOST_AT_ONCE: Final = 2_000
_STARTERS: Final = 4
_MOST_IN_A_ROW: Final = 100
_SLOW_SECONDS: Final = 60.0
# A tick and the end of a leader may pass before anybody looks; a clock that slept longer did not look.
_TOLERANCE: Final = timedelta(seconds=3)
_LONGEST_SILENCE: Final = timedelta(seconds=10)
# Of a schedule that cannot keep up with its own pace, what is older counts as missed.
_OLDEST: Final = timedelta(seconds=60)


class Watch:
    """Since when this clock has been looking without a gap: what was due before that, nobody may have seen."""

    def __init__(self) -> None:
        self._since: datetime | None = None
        self._last: datetime | None = None

    def look(self, moment: Moment) -> datetime:
        """One look at this moment; returns the horizon: a run that should have begun before it was missed."""
        now = moment.now
        slept = self._last is not None and not timedelta() <= now - self._last <= _LONGEST_SILENCE
        if self._since is None or slept:
            self._since = now
        self._last = now
        horizon = max(min(self._since, now - _TOLERANCE), now - _OLDEST)
        if not moment.is_open:
            self._since = None
        return horizon


class ScheduleRunner:
    """Looks for what is due once a tick, and starts it when this clock leads. Never raises, never waits."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._watch = Watch()
        self._looker: ThreadPoolExecutor | None = None
        self._starters: ThreadPoolExecutor | None = None
        self._look: Future[None] | None = None
        self._under_way: dict[UUID, float] = {}
        self._lock = Lock()

    def tick(self, leads: bool) -> None:
        """Begin to look, unless the look before is still under way."""
        if self._looker is None or self._starters is None:
            self._looker = ThreadPoolExecutor(1, "schedules look")
            self._starters = ThreadPoolExecutor(_STARTERS, "schedules start")
        if self._look is None or self._look.done():
            self._look = self._looker.submit(self._look_around, leads)

    def close(self) -> None:
        """Begin nothing more. What is under way ends by itself, or has not happened."""
        for pool in (self._looker, self._starters):
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)

    def _look_around(self, leads: bool) -> None:
        try:
            agenda = read_agenda(self._context, _MOST_AT_ONCE if leads else 0)
            horizon = self._watch.look(agenda.moment)
            self._begin(agenda, horizon)
            self._tell_of_slow_ones()
        except Exception as error:  # noqa: BLE001 - the next tick looks again
            log.warning("the clock cannot look at the schedules", error=f"{type(error).__name__}: {error}".strip())

    def _begin(self, agenda: Agenda, horizon: datetime) -> None:
        assert self._starters is not None
        for schedule_id in dict.fromkeys((*agenda.due, *agenda.unblocked)):
            with self._lock:
                if schedule_id in self._under_way:
                    continue
                self._under_way[schedule_id] = time.monotonic()
            self._starters.submit(self._run, schedule_id, horizon, schedule_id in agenda.unblocked)

    def _tell_of_slow_ones(self) -> None:
        """Code of authors that does not come back keeps a thread from all other schedules: somebody has to know."""
        now = time.monotonic()
        with self._lock:
            slow = [one for one, begin in self._under_way.items() if now - begin > _SLOW_SECONDS]
            self._under_way |= dict.fromkeys(slow, now)
        if slow:
            log.warning("starts of schedules take long", schedule_ids=[str(one) for one in slow], threads=_STARTERS)

    def _run(self, schedule_id: UUID, horizon: datetime, unblocked: bool) -> None:
        try:
            if unblocked:
                run_unblocked(self._context, schedule_id)
            for _ in range(_MOST_IN_A_ROW):
                if not run_due(self._context, schedule_id, horizon):
                    break
        except Exception as error:  # noqa: BLE001 - it is still due
            told = f"{type(error).__name__}: {error}".strip()
            log.warning("a schedule was not run, it is tried again", schedule_id=str(schedule_id), error=told)
        finally:
            with self._lock:
                self._under_way.pop(schedule_id, None)
