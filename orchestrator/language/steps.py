"""What an author builds a workflow's steps with.

Everything is expanded here into a flat list of frozen steps: a group, a condition or a lens leaves its mark on each
step that it holds and is no step itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace
from typing import Final

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
from orchestrator.language.step_checks import as_lifecycle, called, check_function, check_name, check_time_limit
from orchestrator.language.step_keys import key_of, slug
from orchestrator.language.step_list import Step, StepList, as_step_list
from orchestrator.language.vocabulary import Assignee, State, SubscriptionLifecycle, Target

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
        check_function(f"step {name!r}", function)
        if inspect.isgeneratorfunction(function):
            raise AuthoringError(f"step {name!r}: {called(function)} has a yield; use @inputstep for a form")
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
        check_function(f"step {name!r}", function)
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
    """Run steps only when the predicate says so of the state; it is asked anew before each of them.

    Raises:
        AuthoringError: the predicate is no function.
    """
    if not callable(predicate) or isinstance(predicate, Step):
        raise AuthoringError(
            f"conditional: the predicate must be a function of the state, not {called(predicate)}; "
            "write conditional(predicate)(steps)"
        )
    return _wrap(When(predicate), "in a conditional")


def steplens(
    get: Callable[[State], State], set: Callable[[State], Callable[[State], State]]
) -> Callable[[Step | StepList], StepList]:
    """Run steps on a part of the state, `get(state)`, and fold it back with `set(state)(part)`.

    Raises:
        AuthoringError: one of them is no function.
    """
    if not callable(get) or not callable(set):
        raise AuthoringError("steplens: get and set must be functions of the state")
    return _wrap(Lens(get, set), "in a steplens")


def focussteps(key: str) -> Callable[[Step | StepList], StepList]:
    """Run steps on the object that the state holds under a key, an empty one when it holds none.

    Raises:
        AuthoringError: the key is no text.
    """
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


def _wrap(wrapper: Wrapper, place: str) -> Callable[[Step | StepList], StepList]:
    def wrap(steps: Step | StepList) -> StepList:
        return as_step_list(steps, place).map(lambda one: replace(one, wrappers=(wrapper, *one.wrappers)))

    return wrap
