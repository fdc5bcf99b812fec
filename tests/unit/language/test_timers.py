"""Steps that wait: how they are written, and which moment they mean."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from orchestrator.errors import AuthoringError, TimerError
from orchestrator.language.actions import Sleep, Until
from orchestrator.language.steps import conditional, done, init
from orchestrator.language.timers import moment_of, sleep_for, wait_until
from orchestrator.language.workflows import workflow

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        (90, 90),
        (0.5, 0.5),
        (timedelta(hours=1), 3600),
        (lambda state: state["minutes"] * 60, 120),
        (lambda state: timedelta(days=1), 86_400),
        (-5, -5),
    ],
)
def test_a_duration_counts_from_now(duration: Any, seconds: float) -> None:
    action = sleep_for(duration).action
    assert isinstance(action, Sleep)
    assert moment_of(action, {"minutes": 2}, NOW) == NOW + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "moment", [LATER, "window", lambda state: state["window"], lambda state: LATER, lambda state: LATER.isoformat()]
)
def test_a_moment_is_a_datetime_or_in_the_state(moment: Any) -> None:
    action = wait_until(moment).action
    assert isinstance(action, Until)
    assert moment_of(action, {"window": "2026-01-02T00:00:00+02:00"}, NOW) == LATER


def test_a_function_of_the_state_cannot_change_it() -> None:
    state = {"list": [1]}
    sleep = sleep_for(lambda given: given["list"].pop()).action
    until = wait_until(lambda given: given["list"].clear() or LATER).action
    assert isinstance(sleep, Sleep)
    assert isinstance(until, Until)
    moment_of(sleep, state, NOW)
    moment_of(until, state, NOW)
    assert state == {"list": [1]}


@pytest.mark.parametrize(
    ("action", "words"),
    [
        (Sleep(lambda state: "an hour"), "not 'an hour'"),
        (Sleep(lambda state: math.nan), "not nan"),
        (Sleep(lambda state: True), "not True"),
        (Sleep(1e300), "beyond all calendars"),
        (Sleep(1e12), "beyond all calendars"),
        (Until("nothing"), "the state has no 'nothing'"),
        (Until("text"), "not 'tomorrow'"),
        (Until("number"), "not 1767312000"),
        (Until("naive"), "with a time zone"),
        (Until(lambda state: datetime(2026, 1, 1)), "with a time zone"),  # noqa: DTZ001 - that is the fault
        (Until(lambda state: None), "not None"),
    ],
)
def test_a_timer_that_makes_no_sense_says_so(action: Sleep | Until, words: str) -> None:
    state = {"text": "tomorrow", "number": 1_767_312_000, "naive": "2026-01-02T00:00:00"}
    with pytest.raises(TimerError, match=words):
        moment_of(action, state, NOW)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: sleep_for("1h"), "sleep_for: a duration"),
        (lambda: sleep_for(math.inf), "not inf"),
        (lambda: sleep_for(True), "not True"),
        (lambda: wait_until(5), "wait_until: a moment"),
        (lambda: wait_until(datetime(2026, 1, 1)), "with a time zone"),  # noqa: DTZ001 - that is the fault
        (lambda: sleep_for(1, name=""), "must be text"),
        (lambda: wait_until("window", key="two words"), "a key is made of"),
    ],
)
def test_a_timer_that_is_written_wrongly_is_refused_at_once(make: Any, words: str) -> None:
    with pytest.raises(AuthoringError, match=words):
        make()


def test_timers_have_keys_and_names_like_other_steps() -> None:
    def flow() -> Any:
        return (
            init
            >> sleep_for(30)
            >> sleep_for(timedelta(hours=2))
            >> wait_until("window", key="maintenance", name="Wait for the window")
            >> conditional(bool)(wait_until(LATER))
            >> sleep_for(lambda state: 1)
            >> done
        )

    made = workflow("Sleeps")(flow)
    assert made.keys == ("start", "sleep_for", "sleep_for_2", "maintenance", "wait_until", "sleep_for_3", "done")
    assert [step.name for step in made.steps[1:-1]] == [
        "Wait 30 seconds",
        "Wait 2:00:00",
        "Wait for the window",
        "Wait until 2026-01-02 00:00+02:00",
        "Wait",
    ]
    assert [step.kind for step in made.steps[1:4]] == ["sleep_for", "sleep_for", "wait_until"]
