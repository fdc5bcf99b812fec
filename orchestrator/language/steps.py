"""What an author builds a workflow's steps with.

Everything is expanded here into a flat list of frozen steps: a group, a condition or a lens leaves its mark on each
step that it holds and is no step itself.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import (
    Abort,
    Call,
    Finish,
    Form,
    Function,
    Lens,
    Predicate,
    Resync,
    Retry,
    SetStatus,
    Start,
    StoreProcessSubscription,
    Unsync,
    When,
    Wrapper,
)
from orchestrator.language.admission import Authorizer
from orchestrator.language.step_list import Step, StepList, as_step_list
from orchestrator.language.vocabulary import Assignee, State, SubscriptionLifecycle, Target

_KEY = re.compile(r"[\w.\-]{1,200}")
_LONGEST_TIME_LIMIT: Final = 365 * 86_400.0

begin: Final = StepList()
init: Final = StepList([Step("Start", "start", Start())])
done: Final = StepList([Step("Done", "done", Finish())])
abort: Final = StepList([Step("Abort", "abort", Abort())])

unsync: Final = Step("Lock subscription", "unsync", Unsync(checked=True))
unsync_unchecked: Final = Step("Lock subscription without a check", "unsync_unchecked", Unsync(checked=False))
resync: Final = Step("Unlock subscription", "resync", Resync())


def step(
    name: str,
    *,
    key: str | None = None,
    retry: Retry | None = None,
    time_limit: float | None = None,
    retry_auth_callback: Authorizer | None = None,
) -> Callable[[Function], Step]:
    """Make a function a step: its arguments come from the state, the dict that it returns is merged into the state.

    Args:
        name: what people are shown.
        key: the step's place in the workflow; the function's name when not given.
        retry: run it again by itself when it fails.
        time_limit: seconds that the function may run before it fails.
        retry_auth_callback: who may retry it after a failure; the workflow decides when not given.

    Raises:
        AuthoringError: the function cannot be a step.
    """
    check_name("step", name)
    check_time_limit(f"step {name!r}", time_limit)
    if retry is not None and not isinstance(retry, Retry):
        raise AuthoringError(f"step {name!r}: retry must be a Retry(...), not {type(retry).__name__}")

    def decorate(function: Function) -> Step:
        check_function(name, function)
        if inspect.isgeneratorfunction(function):
            raise AuthoringError(f"step {name!r}: {_called(function)} has a yield; use @inputstep for a form")
        return Step(
            name,
            key_of(name, function, key),
            Call(function),
            retry=retry,
            time_limit=time_limit,
            retry_auth_callback=retry_auth_callback,
            has_own_key=key is not None,
        )

    return decorate


def retrystep(
    name: str,
    *,
    key: str | None = None,
    time_limit: float | None = None,
    retry_auth_callback: Authorizer | None = None,
) -> Callable[[Function], Step]:
    """Make a function a step that is run again by itself when it fails, with the pauses of a plain `Retry()`."""
    return step(name, key=key, retry=Retry(), time_limit=time_limit, retry_auth_callback=retry_auth_callback)


def inputstep(
    name: str,
    assignee: str = Assignee.SYSTEM,
    resume_auth_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    *,
    key: str | None = None,
) -> Callable[[Function], Step]:
    """Make a form function a step: the process suspends until the assignee has filled the form in.

    The function is a generator of form pages, or returns one page class; it may run any number of times and must not
    change anything outside.

    Raises:
        AuthoringError: the function cannot be a form.
    """
    check_name("inputstep", name)

    def decorate(function: Function) -> Step:
        check_function(name, function)
        return Step(
            name,
            key_of(name, function, key),
            Form(function),
            assignee=assignee,
            retry_auth_callback=retry_auth_callback,
            resume_auth_callback=resume_auth_callback,
            has_own_key=key is not None,
        )

    return decorate


def step_group(
    name: str,
    steps: Step | StepList,
    *,
    retry_auth_callback: Authorizer | None = None,
    resume_auth_callback: Authorizer | None = None,
) -> StepList:
    """Label steps as a group. Its name comes before their keys; a step's own authorizers win over the group's.

    Each step is still recorded and retried by itself.
    """
    check_name("step_group", name)
    prefix = slug(name, "group")

    def label(one: Step) -> Step:
        return replace(
            one,
            group=(name, *one.group),
            key=one.key if one.has_own_key else f"{prefix}.{one.key}",
            retry_auth_callback=one.retry_auth_callback or retry_auth_callback,
            resume_auth_callback=one.resume_auth_callback or resume_auth_callback,
        )

    return as_step_list(steps, f"in the group {name!r}").map(label)


def conditional(predicate: Predicate) -> Callable[[Step | StepList], StepList]:
    """Run steps only when the predicate says so of the state; it is asked anew before each of them."""
    if not callable(predicate) or isinstance(predicate, Step):
        raise AuthoringError(f"conditional: the predicate must be a function of the state, not {predicate!r}")
    return _wrap(When(predicate), "in a conditional")


def steplens(
    get: Callable[[State], State], set: Callable[[State], Callable[[State], State]]
) -> Callable[[Step | StepList], StepList]:
    """Run steps on a part of the state, `get(state)`, and fold it back with `set(state)(part)`."""
    if not callable(get) or not callable(set):
        raise AuthoringError("steplens: get and set must be functions of the state")
    return _wrap(Lens(get, set), "in a steplens")


def focussteps(key: str) -> Callable[[Step | StepList], StepList]:
    """Run steps on the object that the state holds under a key, an empty one when it holds none."""
    if not isinstance(key, str):
        raise AuthoringError(f"focussteps: the key must be text, not {key!r}")

    def get(state: State) -> State:
        part: State = state.get(key, {})
        return part

    def fold(state: State) -> Callable[[State], State]:
        return lambda part: {**state, key: part}

    return _wrap(Lens(get, fold, key), f"in focussteps({key!r})")


def set_status(status: SubscriptionLifecycle) -> Step:
    """The step that moves the subscription to a status.

    Raises:
        AuthoringError: that is no status.
    """
    lifecycle = as_lifecycle(status, "set_status")
    return Step(f"Set subscription to {lifecycle.value!r}", f"set_status_{lifecycle.value}", SetStatus(lifecycle))


def store_process_subscription(target: Target | None = None) -> Step:
    """The step that records which subscription this process works on."""
    return Step("Record subscription of this process", "store_process_subscription", StoreProcessSubscription(target))


def ensure_provisioning_status(steps: Step | StepList) -> StepList:
    """Run steps while the subscription is provisioning, and make it active afterwards."""
    return (
        begin
        >> set_status(SubscriptionLifecycle.PROVISIONING)
        >> as_step_list(steps, "in ensure_provisioning_status")
        >> set_status(SubscriptionLifecycle.ACTIVE)
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


def slug(name: str, otherwise: str) -> str:
    """A name as a key: lower case, with underscores."""
    return re.sub(r"\W+", "_", name.lower()).strip("_")[:100] or otherwise


def check_function(name: str, function: object) -> None:
    """Refuse what cannot take its arguments from the state by name.

    Raises:
        AuthoringError: not a function, a coroutine function, or one with `*args`, `**kwargs` or positional-only
            parameters.
    """
    if isinstance(function, Step) or not callable(function):
        raise AuthoringError(f"step {name!r}: expected a function, got {_called(function)}")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise AuthoringError(f"step {name!r}: {_called(function)} is async; a step is an ordinary function")
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        raise AuthoringError(f"step {name!r}: the parameters of {_called(function)} cannot be seen") from None
    except NameError:  # Python 3.14 evaluates annotations here; what is not there yet is looked up later
        return
    for parameter in parameters:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise AuthoringError(
                f"step {name!r}: the parameter {str(parameter)!r} of {_called(function)} cannot be filled from the "
                "state by its name; a decorator around the function needs functools.wraps"
            )


def _wrap(wrapper: Wrapper, place: str) -> Callable[[Step | StepList], StepList]:
    def wrap(steps: Step | StepList) -> StepList:
        return as_step_list(steps, place).map(lambda one: replace(one, wrappers=(wrapper, *one.wrappers)))

    return wrap


def key_of(name: str, function: Any, key: str | None) -> str:
    """The key that the author chose, else one that is made of the name of the function.

    Raises:
        AuthoringError: the chosen one cannot be a key.
    """
    if key is None:
        written = getattr(function, "__name__", "")
        return written if written.isidentifier() else slug(name, "step")
    if not isinstance(key, str) or not _KEY.fullmatch(key):
        raise AuthoringError(f"step {name!r}: a key is made of letters, digits, '_', '-' and '.', not {key!r}")
    return key


def check_name(decorator: str, name: object) -> None:
    """Refuse what cannot be shown as the name of a step.

    Raises:
        AuthoringError: it is no text, or an empty one.
    """
    if not isinstance(name, str) or not name.strip() or "\x00" in name:
        shown = _called(name) if callable(name) else repr(name)
        raise AuthoringError(f'write @{decorator}("what people are shown"): its name must be text, not {shown}')


def _called(value: object) -> str:
    return str(getattr(value, "__qualname__", None) or getattr(value, "name", None) or type(value).__name__)
