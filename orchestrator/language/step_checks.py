"""What the names, functions and options of steps and workflows must be."""

from __future__ import annotations

import inspect
from typing import Final

from orchestrator.errors import AuthoringError
from orchestrator.language.step_list import Step
from orchestrator.language.vocabulary import SubscriptionLifecycle

_LONGEST_TIME_LIMIT: Final = 365 * 86_400.0


def check_name(decorator: str, name: object) -> None:
    """Refuse what cannot be shown as the name of a step.

    Raises:
        AuthoringError: it is no text, or an empty one.
    """
    if not isinstance(name, str) or not name.strip() or "\x00" in name:
        shown = called(name) if callable(name) else repr(name)
        raise AuthoringError(f'write @{decorator}("what people are shown"): its name must be text, not {shown}')


def check_function(place: str, function: object) -> None:
    """Refuse what cannot take its arguments from the state by name.

    Args:
        place: what messages call it, like `step 'Load'`.
        function: what an author gave for a function.

    Raises:
        AuthoringError: not a function, a coroutine function, or one with `*args`, `**kwargs` or positional-only
            parameters.
    """
    if isinstance(function, Step) or not callable(function):
        raise AuthoringError(f"{place}: expected a function, got {called(function)}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise AuthoringError(f"{place}: {called(function)} is async; it must be an ordinary function")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        raise AuthoringError(f"{place}: the parameters of {called(function)} cannot be seen") from None
    except NameError:  # Python 3.14 evaluates annotations here; what is not there yet is looked up later
        return
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise AuthoringError(
                f"{place}: the parameter {str(parameter)!r} of {called(function)} cannot be filled from the "
                "state by its name; a decorator around the function needs functools.wraps"
            )


def as_lifecycle(status: object, place: str) -> SubscriptionLifecycle:
    """A status as `SubscriptionLifecycle`.

    Raises:
        AuthoringError: that is no status.
    """
    try:
        return SubscriptionLifecycle(status)  # type: ignore[arg-type]
    except ValueError:
        known = ", ".join(one.name for one in SubscriptionLifecycle)
        raise AuthoringError(f"{place}: {status!r} is not a SubscriptionLifecycle ({known})") from None


def check_time_limit(place: str, seconds: object) -> None:
    """Refuse what is no number of seconds, or None.

    Raises:
        AuthoringError: it is neither; the message names the place.
    """
    if seconds is None:
        return
    if not isinstance(seconds, int | float) or not 0 < seconds <= _LONGEST_TIME_LIMIT:
        raise AuthoringError(f"{place}: time_limit must be more than 0 seconds, and a year at most, not {seconds!r}")


def called(value: object) -> str:
    """What a message calls something: its name, else its type."""
    return str(getattr(value, "__qualname__", None) or getattr(value, "name", None) or type(value).__name__)
