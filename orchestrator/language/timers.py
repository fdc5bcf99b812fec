"""Steps that let a process sleep, as a row with a due time: no worker, no message and no memory is held meanwhile."""

from __future__ import annotations

import math
from datetime import datetime, timedelta
from typing import Any, Final

from pydantic import AwareDatetime, TypeAdapter, ValidationError

from orchestrator.errors import AuthoringError, TimerError
from orchestrator.language.actions import Duration, Moment, Sleep, Until
from orchestrator.language.json_values import copy_json
from orchestrator.language.step_checks import check_name
from orchestrator.language.step_keys import key_of
from orchestrator.language.step_list import Step
from orchestrator.language.vocabulary import State

_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(AwareDatetime)


def sleep_for(duration: Duration, *, key: str | None = None, name: str | None = None) -> Step:
    """The step after which the process goes on when so much time has passed since the step was reached.

    Args:
        duration: seconds, a timedelta, or a function of the state that returns one of these.
        key: the step's place in the workflow; `sleep_for` when not given.
        name: what people are shown.

    Raises:
        AuthoringError: that is no duration.
    """
    if not callable(duration):
        try:
            _seconds(duration)
        except TimerError as error:
            raise AuthoringError(f"sleep_for: {error}") from None
    shown = "Wait" if callable(duration) else f"Wait {_shown(duration)}"
    return _timer("sleep_for", Sleep(duration), key, shown if name is None else name)


def wait_until(moment: Moment, *, key: str | None = None, name: str | None = None) -> Step:
    """The step after which the process goes on when a moment has come; at once when it has passed.

    Args:
        moment: a datetime with a time zone, the key of the state that holds one, or a function of the state that
            returns one, as a datetime or as text (ISO 8601).
        key: the step's place in the workflow; `wait_until` when not given.
        name: what people are shown.

    Raises:
        AuthoringError: that is no moment.
    """
    shown = "Wait for a moment"
    if isinstance(moment, str):
        shown = f"Wait until {moment!r}"
    elif not callable(moment):
        try:
            shown = f"Wait until {_moment(moment).isoformat(' ', 'minutes')}"
        except TimerError as error:
            raise AuthoringError(f"wait_until: {error}") from None
    return _timer("wait_until", Until(moment), key, shown if name is None else name)


def moment_of(action: Sleep | Until, state: State, now: datetime) -> datetime:
    """When a process that sleeps goes on.

    Raises:
        TimerError: the state has no such moment, or it is none.
        Exception: what the author's function raises.
    """
    match action:
        case Sleep(duration):
            seconds = _seconds(duration(copy_json(state)) if callable(duration) else duration)
            try:
                return now + timedelta(seconds=seconds)
            except OverflowError:
                raise TimerError(f"{seconds:g} seconds from now is beyond all calendars") from None
        case Until(str() as name):
            if name not in state:
                raise TimerError(f"the state has no {name!r} to wait until")
            return _moment(state[name])
        case Until(moment):
            return _moment(moment(copy_json(state)) if callable(moment) else moment)


def _timer(own_key: str, action: Sleep | Until, key: str | None, name: str) -> Step:
    check_name(own_key, name)
    return Step(name, own_key if key is None else key_of(name, None, key), action, has_own_key=key is not None)


def _seconds(value: Any) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TimerError(f"a duration is a number of seconds or a timedelta, not {value!r}")
    return float(value)


def _moment(value: Any) -> datetime:
    # Numbers could be seconds or milliseconds of whatever era; who means them can say so in a function.
    if isinstance(value, datetime | str):
        try:
            return _MOMENT.validate_python(value)
        except ValidationError:
            pass
    raise TimerError(f"a moment is a datetime with a time zone, or the same as text, not {value!r}")


def _shown(duration: float | timedelta) -> str:
    seconds = _seconds(duration)
    return str(timedelta(seconds=seconds)) if seconds >= 60 else f"{seconds:g} seconds"
