"""Steps that an outside system ends by calling back."""

from __future__ import annotations

import inspect
import keyword
import math
from dataclasses import replace
from typing import Final

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import AwaitCallback, Call, Function
from orchestrator.language.step_list import Step, StepList
from orchestrator.language.steps import begin, step_group

_LONGEST_SECONDS: Final = 100 * 366 * 86_400.0


def callback_step(
    name: str,
    action_step: Step,
    validate_step: Step,
    result_key: str | None = None,
    callback_route_key: str = "callback_route",
    timeout: float | None = None,
) -> StepList:
    """Ask an outside system for something, wait until it calls back, and look at what it sent.

    Three steps in a group: `action_step` is handed the route to call back to, as the argument that
    `callback_route_key` names; then the process waits, without a worker; what arrives is merged into the state under
    `result_key`, and `validate_step` runs as any other step. The route is never in the state: a step that runs again
    is handed it again.

    Args:
        name: of the group.
        action_step: asks the outside system; its function has a parameter named `callback_route_key`.
        validate_step: looks at what arrived.
        result_key: where in the state that is kept; `callback_result` when not given.
        callback_route_key: the parameter that gets the route, like `/api/processes/{id}/callback/{token}`.
        timeout: the seconds to wait before the process fails; without an end when not given.

    Raises:
        AuthoringError: the steps or the options cannot be used.
    """
    place = f"callback_step {name!r}"
    _check_steps(place, action_step, validate_step)
    for option, value in (("result_key", result_key), ("callback_route_key", callback_route_key)):
        if value is not None and (not isinstance(value, str) or not value or "\x00" in value):
            raise AuthoringError(f"{place}: {option} must be text, not {value!r}")
    if timeout is not None and not (_is_number(timeout) and 0 < timeout <= _LONGEST_SECONDS):
        raise AuthoringError(f"{place}: timeout must be more than 0 seconds, not {timeout!r}")
    assert isinstance(action_step.action, Call)
    function = action_step.action.function
    if not _takes(function, callback_route_key):
        raise AuthoringError(
            f"{place}: the function of its action step {action_step.name!r} needs a parameter {callback_route_key!r}, "
            "which is handed the route to call back to; the route is never in the state"
        )
    action = replace(action_step, action=Call(function, callback_route_key))
    limit = None if timeout is None else float(timeout)
    wait = Step("Await callback", "await_callback", AwaitCallback(result_key or "callback_result", limit))
    return step_group(name, begin >> action >> wait >> validate_step)


def _check_steps(place: str, action: object, validate: object) -> None:
    for option, given in (("action_step", action), ("validate_step", validate)):
        if not isinstance(given, Step) or not isinstance(given.action, Call):
            shown = f"{type(given).__name__} {getattr(given, 'name', None) or getattr(given, '__name__', '')}".strip()
            raise AuthoringError(
                f"{place}: {option} must be one @step or @retrystep, not {shown}; conditions and lenses go around the "
                "callback_step"
            )
    assert isinstance(action, Step)
    assert isinstance(action.action, Call)
    if action.action.callback_route_key is not None:
        raise AuthoringError(f"{place}: action_step waits for a callback already")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _takes(function: Function, parameter: str) -> bool:
    if not parameter.isidentifier() or keyword.iskeyword(parameter):
        return False
    try:
        return parameter in inspect.signature(function).parameters
    except NameError:  # Python 3.14 evaluates annotations here; what is not there yet is looked up later
        return True
