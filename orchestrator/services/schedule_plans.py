"""What a client may ask of a schedule, checked field by field, and the plan that comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from itertools import pairwise
from math import isfinite
from typing import Any, Final
from uuid import UUID

from orchestrator.domain.due_times import (
    LONGEST_INTERVAL,
    MOST_JITTER,
    Cron,
    Interval,
    Once,
    Plan,
    Trigger,
    moment_of,
    next_due,
    next_runs,
    read_cron,
    zone_of,
)
from orchestrator.errors import InvalidScheduleError
from orchestrator.services.forms import Pages, read_pages, storable
from orchestrator.storage.tables import ScheduleTable

TRIGGERS: Final = ("cron", "every", "at")
MAX_NAME_LENGTH: Final = 200
_FIRST_YEAR, _LAST_YEAR = 1970, 9000
_LOOKED_AT: Final = 25


class Overlap(StrEnum):
    """What happens when a run is due while a process of an earlier one is under way."""

    SKIP = "skip"
    QUEUE = "queue"
    ALLOW = "allow"


@dataclass(frozen=True)
class Wanted:
    """A schedule as it was asked for: one of `cron`, `every` (seconds) and `at`.

    Times without an offset are wall times of `time_zone`. `pages` is what was entered on the pages of the workflow's
    form.
    """

    workflow_name: str
    name: str | None = None
    pages: Any = None
    cron: str | None = None
    every: float | None = None
    at: datetime | None = None
    time_zone: str = "UTC"
    jitter: float = 0.0
    overlap: str = Overlap.SKIP
    start_at: datetime | None = None
    end_at: datetime | None = None

    def changed(self, changes: Mapping[str, Any]) -> Wanted:
        """The same with other values; one trigger takes the place of another."""
        if any(changes.get(name) is not None for name in TRIGGERS):
            changes = {**dict.fromkeys(TRIGGERS), **changes}
        return replace(self, **changes)


WANTED_FIELDS: Final = frozenset(field.name for field in fields(Wanted))


def wanted_of(row: ScheduleTable) -> Wanted:
    """What a schedule was asked for."""
    return Wanted(**{name: getattr(row, name) for name in WANTED_FIELDS})


def plan_of(row: ScheduleTable) -> Plan:
    """When a schedule is due."""
    if row.cron is not None:
        trigger: Trigger = Cron(row.cron, row.time_zone)
    elif row.every is not None:
        trigger = Interval(row.every, row.start_at)
    else:
        assert row.at is not None
        trigger = Once(row.at)
    return Plan(trigger, row.start_at, row.end_at, row.jitter)


def with_subscription(pages: Any, subscription_id: UUID) -> Pages:
    """The pages with this subscription on the first one.

    Raises:
        MalformedPagesError: these are no pages.
    """
    entered = read_pages(pages) or [{}]
    return [{**entered[0], "subscription_id": str(subscription_id)}, *entered[1:]]


def read_plan(wanted: Wanted, now: datetime) -> Plan:
    """The plan that is asked for.

    Raises:
        InvalidScheduleError: a field cannot be used; the error names it and says why.
    """
    _check_words(wanted)
    start = _moment("start_at", wanted.start_at, wanted.time_zone)
    end = _moment("end_at", wanted.end_at, wanted.time_zone)
    trigger = _trigger(wanted, start or now.replace(microsecond=0), now)
    _check_jitter(wanted, trigger, now)
    begin = trigger.start if isinstance(trigger, Interval) else start or now
    if end is not None and end <= max(begin, now):
        raise InvalidScheduleError("end_at", f"{end.isoformat()} is not after its start, or has passed already")
    plan = Plan(trigger, begin, end, wanted.jitter)
    if next_due(plan, now) is None:
        raise InvalidScheduleError(_named(wanted), "it is never due between start_at and end_at")
    return plan


def _check_words(wanted: Wanted) -> None:
    zone_of(wanted.time_zone)
    if wanted.overlap not in list(Overlap):
        choice = ", ".join(Overlap)
        raise InvalidScheduleError("overlap", f"{wanted.overlap[:100]!r} is no policy; use one of {choice}")
    name = wanted.name
    if name is not None and (not name.strip() or len(name) > MAX_NAME_LENGTH):
        raise InvalidScheduleError("name", f"a name has 1 to {MAX_NAME_LENGTH} characters")
    storable(name, "name")


def _named(wanted: Wanted) -> str:
    given = [name for name in TRIGGERS if getattr(wanted, name) is not None]
    if len(given) != 1:
        told = f"not {' and '.join(given)}" if given else "none was given"
        raise InvalidScheduleError(
            given[1] if given else "trigger",
            f"give one of cron, every (seconds) and at, {told}",
        )
    return given[0]


def _trigger(wanted: Wanted, start: datetime, now: datetime) -> Trigger:
    named = _named(wanted)
    if wanted.cron is not None:
        return read_cron(wanted.cron, wanted.time_zone)
    if wanted.every is not None:
        if not (isfinite(wanted.every) and 1 <= wanted.every <= LONGEST_INTERVAL):
            raise InvalidScheduleError("every", f"{wanted.every} seconds; 1 to {LONGEST_INTERVAL:.0f} are possible")
        return Interval(wanted.every, start)
    at = _moment(named, wanted.at, wanted.time_zone)
    assert at is not None
    if at <= now:
        raise InvalidScheduleError("at", f"{at.isoformat()} has passed already; it is {now.isoformat()}")
    return Once(at)


def _check_jitter(wanted: Wanted, trigger: Trigger, now: datetime) -> None:
    gaps = [] if isinstance(trigger, Once) else _gaps(trigger, now)
    most = min([MOST_JITTER, *gaps])
    if not 0 <= wanted.jitter <= most:
        raise InvalidScheduleError("jitter", f"{wanted.jitter} seconds; 0 to {most:g} are possible here")


def _gaps(trigger: Cron | Interval, now: datetime) -> list[float]:
    """Seconds between due times, of a cron between some of the next ones: what is put off for longer would come after
    the due time that follows."""
    if isinstance(trigger, Interval):
        return [trigger.seconds]
    runs = next_runs(Plan(trigger, now), "", now, _LOOKED_AT)
    return [(later.due_at - earlier.due_at).total_seconds() for earlier, later in pairwise(runs)]


def _moment(field: str, given: datetime | None, time_zone: str) -> datetime | None:
    if given is None:
        return None
    if not _FIRST_YEAR <= given.year <= _LAST_YEAR:
        raise InvalidScheduleError(field, f"the year {given.year} is not between {_FIRST_YEAR} and {_LAST_YEAR}")
    return moment_of(given, zone_of(time_zone)) if given.tzinfo is None else given.astimezone(UTC)
