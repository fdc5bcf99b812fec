"""Since when a clock has been looking, and so what it takes for missed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestrator.storage.schedule_statements import Moment
from orchestrator.tasks.schedule_runner import Watch

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def look(watch: Watch, seconds: float, *, is_open: bool = True) -> float:
    """The horizon of a look, as seconds from noon."""
    return (watch.look(Moment(at(seconds), is_open)) - NOON).total_seconds()


def test_a_clock_that_looks_for_the_first_time_takes_for_missed_what_is_older_than_a_takeover() -> None:
    assert look(Watch(), 100) == 97


def test_while_a_clock_looks_nothing_is_missed() -> None:
    watch = Watch()
    assert look(watch, 0) == -3
    assert [look(watch, seconds) for seconds in (1, 2, 9, 18)] == [-2, -1, 0, 0]


def test_of_what_is_too_late_by_a_minute_the_rest_is_one_run() -> None:
    watch = Watch()
    horizons = [look(watch, seconds) for seconds in range(0, 200, 5)]
    assert horizons[-1] == 195 - 60


def test_a_clock_that_slept_did_not_look() -> None:
    watch = Watch()
    look(watch, 0)
    assert look(watch, 30) == 27
    assert look(watch, 31) == 28
    assert look(watch, 38) == 30


def test_nor_did_one_whose_time_was_set_back() -> None:
    watch = Watch()
    look(watch, 0)
    look(watch, 8)
    assert look(watch, -3600) == -3603
    assert look(watch, -3591) == -3600


def test_while_the_engine_is_paused_nobody_looks() -> None:
    watch = Watch()
    look(watch, 0)
    for seconds in (5, 10, 15):
        look(watch, seconds, is_open=False)
    assert look(watch, 20) == 17
    assert look(watch, 29) == 20
