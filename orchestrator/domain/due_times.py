"""When a schedule is due: pure functions of a plan and a moment.

A plan on wall clocks (cron) follows its time zone through clock changes by one rule: a time that a change skips is due
once, at the end of the gap; a time that a change repeats is due once, the first time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import islice
from typing import Final, assert_never
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from orchestrator.errors import InvalidScheduleError

MOST_JITTER: Final = 3600.0
LONGEST_INTERVAL: Final = 10 * 365 * 86_400.0
_INSTANT: Final = timedelta(microseconds=1)
_CRON_FIELDS: Final = 5


@dataclass(frozen=True)
class Cron:
    """Due when the clocks of a time zone show what an expression of five fields says."""

    expression: str
    time_zone: str


@dataclass(frozen=True)
class Interval:
    """Due at `start`, and then every so many seconds, whatever clocks show."""

    seconds: float
    start: datetime


@dataclass(frozen=True)
class Once:
    """Due at one moment."""

    at: datetime


Trigger = Cron | Interval | Once


@dataclass(frozen=True)
class Plan:
    """When a schedule is due, from `start` up to and with `end`; each run begins up to `jitter` seconds later."""

    trigger: Trigger
    start: datetime
    end: datetime | None = None
    jitter: float = 0.0


@dataclass(frozen=True)
class DueTime:
    """A due time, and the moment at which its run begins."""

    due_at: datetime
    run_at: datetime


def read_cron(expression: str, time_zone: str) -> Cron:
    """A cron trigger.

    Raises:
        InvalidScheduleError: the expression or the time zone cannot be used, or it is never due.
    """
    zone_of(time_zone)
    fields = expression.split()
    if len(fields) != _CRON_FIELDS:
        raise InvalidScheduleError(
            "cron",
            f"{expression[:100]!r} has {len(fields)} fields; five are needed: minute, hour, day of the month, month, "
            "day of the week",
        )
    try:
        CronSim(expression, datetime(2000, 1, 1)).__next__()  # noqa: DTZ001 - wall time of no zone
    except CronSimError as error:
        told = str(error).removeprefix("Bad ").replace("-", " ")
        raise InvalidScheduleError("cron", f"{expression!r} cannot be read: its {told} is wrong") from None
    except StopIteration:
        raise InvalidScheduleError("cron", f"{expression!r} is never due: there is no such date") from None
    except (ValueError, AssertionError, LookupError, TypeError):
        raise InvalidScheduleError("cron", f"{expression!r} cannot be read") from None
    return Cron(" ".join(fields), time_zone)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of this name.

    Raises:
        InvalidScheduleError: there is none.
    """
    if name not in _zones():
        raise InvalidScheduleError("time_zone", f"there is no time zone {name[:100]!r}; write it like Europe/Amsterdam")
    return ZoneInfo(name)


def moment_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The moment at which clocks of a zone show this time: the first one when they show it twice, and when they never
    do, the moment at which they skip it. `wall` has no time zone."""
    before, after = wall.replace(tzinfo=zone, fold=0), wall.replace(tzinfo=zone, fold=1)
    offset_before, offset_after = before.utcoffset(), after.utcoffset()
    assert offset_before is not None
    assert offset_after is not None
    if offset_before >= offset_after:
        return before.astimezone(UTC)
    # Skipped: the change lies between what the two offsets make of it.
    earlier, later = (wall - offset_after).replace(tzinfo=UTC), (wall - offset_before).replace(tzinfo=UTC)
    while later - earlier > _INSTANT:
        middle = earlier + (later - earlier) / 2
        if middle.astimezone(zone).utcoffset() == offset_after:
            later = middle
        else:
            earlier = middle
    return later


def next_due(plan: Plan, after: datetime) -> datetime | None:
    """The first due time strictly after a moment, None when there is none any more."""
    floor = max(after, plan.start - _INSTANT)
    try:
        found = _next_of(plan.trigger, floor)
    except OverflowError:
        return None
    return None if found is None or (plan.end is not None and found > plan.end) else found


def next_run(plan: Plan, key: str, after: datetime) -> DueTime | None:
    """The first due time strictly after a moment, with the moment of its run; `key` is that of the schedule."""
    due_at = next_due(plan, after)
    return None if due_at is None else DueTime(due_at, due_at + _delay(plan.jitter, key, due_at))


def next_runs(plan: Plan, key: str, after: datetime, most: int) -> tuple[DueTime, ...]:
    """The next due times after a moment, so many at most."""
    return tuple(islice(_runs(plan, key, after), most))


def _runs(plan: Plan, key: str, after: datetime) -> Iterator[DueTime]:
    while (found := next_run(plan, key, after)) is not None:
        yield found
        after = found.due_at


def _next_of(trigger: Trigger, after: datetime) -> datetime | None:
    match trigger:
        case Once(at):
            return at if at > after else None
        case Interval(seconds, start):
            step = timedelta(seconds=seconds)
            return start + max(0, (after - start) // step + 1) * step
        case Cron(expression, time_zone):
            return _next_of_cron(expression, zone_of(time_zone), after)
    assert_never(trigger)


def _next_of_cron(expression: str, zone: ZoneInfo, after: datetime) -> datetime | None:
    # On wall time without a zone, so that clock changes follow our rule and not the library's. Of times that are not
    # later on the wall none can be a later moment; of those that are, the repeated ones may have been before.
    for wall in CronSim(expression, after.astimezone(zone).replace(tzinfo=None)):
        moment = moment_of(wall, zone)
        if moment > after:
            return moment
    return None


def _delay(jitter: float, key: str, due_at: datetime) -> timedelta:
    """The same for the same due time, whoever asks, so that two clocks agree."""
    if not jitter:
        return timedelta()
    digest = hashlib.sha256(f"{key} {due_at.astimezone(UTC).isoformat()}".encode()).digest()
    return timedelta(seconds=round(jitter * int.from_bytes(digest[:6], "big") / 2**48, 3))


@cache
def _zones() -> frozenset[str]:
    # `localtime` is another one on each machine, and `Factory` stands for none.
    return frozenset(available_timezones() - {"localtime", "Factory"})
