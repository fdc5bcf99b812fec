"""When schedules are due: around clock changes, at edges, and for any plan."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.due_times import (
    Cron,
    Interval,
    Once,
    Plan,
    moment_of,
    next_due,
    next_run,
    next_runs,
    read_cron,
)
from orchestrator.errors import InvalidScheduleError

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def due(expression: str, zone: str, after: str, most: int) -> list[str]:
    """The due times after a wall time of the zone, as clocks of the zone show them."""
    plan = Plan(read_cron(expression, zone), LONG_AGO)
    begin = datetime.fromisoformat(after).replace(tzinfo=ZoneInfo(zone))
    return [
        found.due_at.astimezone(ZoneInfo(zone)).strftime("%d %H:%M %z") for found in next_runs(plan, "", begin, most)
    ]


@pytest.mark.parametrize(
    ("expression", "zone", "after", "shown"),
    [
        # In spring clocks skip 02:00 to 03:00: once, at the end of the gap.
        ("30 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00", ["29 03:00 +0200", "30 02:30 +0200"]),
        ("0 2 * * *", "Europe/Amsterdam", "2026-03-28T12:00", ["29 03:00 +0200", "30 02:00 +0200"]),
        ("0 3 * * *", "Europe/Amsterdam", "2026-03-28T12:00", ["29 03:00 +0200", "30 03:00 +0200"]),
        ("59 1 * * *", "Europe/Amsterdam", "2026-03-28T12:00", ["29 01:59 +0100", "30 01:59 +0200"]),
        (
            "*/20 * * * *",
            "Europe/Amsterdam",
            "2026-03-29T01:30",
            ["29 01:40 +0100", "29 03:00 +0200", "29 03:20 +0200"],
        ),
        # In autumn they show 02:00 to 03:00 twice: once, the first time.
        ("30 2 * * *", "Europe/Amsterdam", "2026-10-24T12:00", ["25 02:30 +0200", "26 02:30 +0100"]),
        ("0 3 * * *", "Europe/Amsterdam", "2026-10-24T12:00", ["25 03:00 +0100", "26 03:00 +0100"]),
        ("0 * * * *", "Europe/Amsterdam", "2026-10-25T01:30", ["25 02:00 +0200", "25 03:00 +0100", "25 04:00 +0100"]),
        # Half an hour on Lord Howe: 02:00 to 02:30 is skipped, 01:30 to 02:00 comes twice.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["04 02:30 +1100", "05 02:15 +1100"]),
        ("30 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00", ["04 02:30 +1100", "05 02:30 +1100"]),
        ("45 1 * * *", "Australia/Lord_Howe", "2026-04-04T12:00", ["05 01:45 +1100", "06 01:45 +1030"]),
        # A whole day that Samoa skipped.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29T06:00", ["29 12:00 -1000", "31 00:00 +1400", "31 12:00 +1400"]),
        ("0 9 * * MON", "Europe/Amsterdam", "2026-10-23T12:00", ["26 09:00 +0100", "02 09:00 +0100"]),
        ("0 0 29 2 *", "UTC", "2026-01-01T00:00", ["29 00:00 +0000", "29 00:00 +0000"]),
        ("0 0 L * *", "UTC", "2026-01-01T00:00", ["31 00:00 +0000", "28 00:00 +0000"]),
    ],
)
def test_cron_follows_the_clocks_of_its_zone(expression: str, zone: str, after: str, shown: list[str]) -> None:
    assert due(expression, zone, after, len(shown)) == shown


def test_within_a_repeated_hour_nothing_is_due_the_second_time() -> None:
    plan = Plan(read_cron("*/10 * * * *", "Europe/Amsterdam"), LONG_AGO)
    second_pass = datetime(2026, 10, 25, 2, 15, fold=1, tzinfo=ZoneInfo("Europe/Amsterdam"))

    assert next_due(plan, second_pass) == datetime(2026, 10, 25, 2, 0, tzinfo=UTC)


def test_an_interval_does_not_mind_clock_changes_and_counts_from_its_start() -> None:
    start = datetime(2026, 10, 24, 23, 59, 30, tzinfo=UTC)
    plan = Plan(Interval(1800.0, start), start)

    shown = [found.due_at for found in next_runs(plan, "", start - timedelta(days=1), 4)]
    assert shown == [start + timedelta(minutes=30) * number for number in range(4)]
    assert next_due(plan, start) == start + timedelta(minutes=30)


def test_once_is_once() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    plan = Plan(Once(at), LONG_AGO)

    assert next_due(plan, at - timedelta(microseconds=1)) == at
    assert next_due(plan, at) is None


def test_nothing_is_due_before_the_start_and_after_the_end() -> None:
    start, end = datetime(2026, 1, 1, 12, tzinfo=UTC), datetime(2026, 1, 1, 14, tzinfo=UTC)
    plan = Plan(read_cron("0 * * * *", "UTC"), start, end)

    assert [found.due_at.hour for found in next_runs(plan, "", LONG_AGO, 9)] == [12, 13, 14]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("* * * *", "has 4 fields; five are needed"),
        ("* * * * * *", "has 6 fields"),
        ("", "has 0 fields"),
        ("61 * * * *", "its minute is wrong"),
        ("* 24 * * *", "its hour is wrong"),
        ("* * 32 * *", "its day of month is wrong"),
        ("* * * FOO *", "its month is wrong"),
        ("* * * * 8", "its day of week is wrong"),
        ("0 0 31 2 *", "its day of month is wrong"),
        ("*/0 * * * *", "its minute is wrong"),
    ],
)
def test_a_bad_expression_is_refused_and_says_why(expression: str, reason: str) -> None:
    with pytest.raises(InvalidScheduleError, match=reason) as refused:
        read_cron(expression, "UTC")
    assert refused.value.field == "cron"


@pytest.mark.parametrize("name", ["Europe/Atlantis", "", "../../etc/passwd", "utc+1", "\x00", "localtime", "Factory"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(InvalidScheduleError, match="there is no time zone"):
        read_cron("0 0 * * *", name)


@pytest.mark.parametrize(
    "text", ["0 0 * * 5L/2", "L * * * *", "0 0 L-3 * *", "0 0 * * 1#6", "1,,2 * * * *", "٣ * * * *"]
)
def test_what_the_parser_stumbles_over_is_refused_too(text: str) -> None:
    with pytest.raises(InvalidScheduleError, match="cron: "):
        read_cron(text, "UTC")


def test_the_jitter_of_a_due_time_is_the_same_for_all_who_ask_and_differs_between_due_times() -> None:
    plan = Plan(read_cron("0 * * * *", "UTC"), LONG_AGO, jitter=600.0)
    first, again, other = (next_runs(plan, key, LONG_AGO, 20) for key in ("one", "one", "other"))

    assert first == again
    assert first != other
    delays = [(found.run_at - found.due_at).total_seconds() for found in first]
    assert all(0 <= delay <= 600 for delay in delays)
    assert len(set(delays)) > 15


ZONES = st.sampled_from(["UTC", "Europe/Amsterdam", "Australia/Lord_Howe", "America/New_York", "Pacific/Apia"])
MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)).map(lambda one: one.replace(tzinfo=UTC))  # noqa: DTZ001
EXPRESSIONS = st.tuples(
    st.one_of(st.integers(0, 59).map(str), st.sampled_from(["*", "*/7", "0,30"])),
    st.one_of(st.integers(0, 23).map(str), st.sampled_from(["*", "*/5", "1-3"])),
).map(lambda parts: f"{parts[0]} {parts[1]} * * *")
# A moment near a clock change of any of these zones, or anywhere.
CHANGES = st.sampled_from(
    [datetime(2026, 3, 29, 1), datetime(2026, 10, 25, 1), datetime(2026, 10, 3, 15, 30), datetime(2026, 4, 4, 15)]  # noqa: DTZ001
).flatmap(lambda change: st.integers(-200, 200).map(lambda minutes: change + timedelta(minutes=minutes)))
AROUND = st.one_of(MOMENTS, CHANGES.map(lambda one: one.replace(tzinfo=UTC)))


@given(EXPRESSIONS, ZONES, AROUND)
@settings(deadline=None, max_examples=60)
def test_of_cron_each_wall_time_is_due_once_in_order_and_none_is_left_out(
    expression: str, zone: str, after: datetime
) -> None:
    cron, until = read_cron(expression, zone), after + timedelta(hours=30)
    found, moment = [], after
    while (following := next_due(Plan(cron, LONG_AGO), moment)) is not None and following <= until:
        assert following > moment
        found.append(following)
        moment = following

    # The other way round: every minute that the clocks could show, and the moment of each.
    wall = (after - timedelta(days=2)).astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0, microsecond=0)
    expected = set()
    for _ in range(6 * 24 * 60):
        wall += timedelta(minutes=1)
        if matches(cron, wall):
            when = moment_of(wall, ZoneInfo(zone))
            if after < when <= until:
                expected.add(when)
    assert found == sorted(expected)


def matches(cron: Cron, wall: datetime) -> bool:
    minute, hour = cron.expression.split()[:2]
    return fits(minute, wall.minute) and fits(hour, wall.hour)


def fits(field: str, value: int) -> bool:
    if field == "*":
        return True
    if field.startswith("*/"):
        return value % int(field[2:]) == 0
    if "-" in field:
        first, last = field.split("-")
        return int(first) <= value <= int(last)
    return str(value) in field.split(",")


@given(st.floats(1, 1e8), MOMENTS, MOMENTS)
def test_an_interval_is_due_strictly_after_any_moment_and_on_its_grid(
    seconds: float, start: datetime, after: datetime
) -> None:
    found = next_due(Plan(Interval(seconds, start), start), after)

    assert found is not None
    assert found > after
    assert found >= start
    step = timedelta(seconds=seconds)
    assert (found - start) % step == timedelta()
    assert found - step <= max(after, start)


@settings(deadline=None)
@given(EXPRESSIONS, ZONES, AROUND, st.floats(0, 3600))
def test_a_run_never_begins_before_it_is_due(expression: str, zone: str, after: datetime, jitter: float) -> None:
    found = next_run(Plan(read_cron(expression, zone), LONG_AGO, jitter=jitter), "key", after)

    assert found is not None
    assert timedelta() <= found.run_at - found.due_at <= timedelta(seconds=jitter + 0.001)
