"""Workflows, and the decorators that make them from functions that return steps."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import Finish
from orchestrator.language.admission import Authorizer, RunPredicate
from orchestrator.language.parameters import plan_if_resolvable
from orchestrator.language.step_list import Step, StepList, as_step_list
from orchestrator.language.steps import (
    as_lifecycle,
    begin,
    check_time_limit,
    done,
    init,
    resync,
    set_status,
    store_process_subscription,
    unsync,
    unsync_unchecked,
)
from orchestrator.language.supply import unsupplied, warn_of
from orchestrator.language.vocabulary import SubscriptionLifecycle, Target

Body = Callable[[], StepList | Step]
Decorator = Callable[[Body], "Workflow"]


@dataclass(frozen=True)
class Workflow:
    """A workflow: a flat list of steps with unique keys, and how it is started.

    Attributes:
        name: the name of the function that it was made from.
        target: as the code has it; the row in the database wins.
        initial_input_form: a generator function of form pages, a page class, a function that returns one, or None.
        time_limit: the seconds that a process has from its start, None when it may take as long as it takes.
    """

    name: str
    description: str
    target: Target
    steps: tuple[Step, ...]
    initial_input_form: Any = None
    authorize_callback: Authorizer | None = None
    retry_auth_callback: Authorizer | None = None
    run_predicate: RunPredicate | None = None
    is_task: bool = False
    time_limit: float | None = None

    @cached_property
    def keys(self) -> tuple[str, ...]:
        """The keys of the steps in their order."""
        return tuple(one.key for one in self.steps)

    @cached_property
    def version(self) -> str:
        """A hash over keys and kinds of the steps: 64 hexadecimal digits. Names and code do not change it."""
        text = json.dumps([[one.key, one.kind] for one in self.steps])
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def pinned(self) -> list[dict[str, Any]]:
        """The steps as a version of the workflow is stored: objects with key, name, kind and assignee."""
        return [
            {"key": one.key, "name": one.name, "kind": one.kind, "assignee": str(one.assignee)} for one in self.steps
        ]

    def step(self, key: str) -> Step | None:
        """The step with this key, None when there is none."""
        return self._steps_by_key.get(key)

    @cached_property
    def _steps_by_key(self) -> dict[str, Step]:
        return {one.key: one for one in self.steps}


def workflow(
    description: str = "",
    initial_input_form: Any = None,
    target: Target = Target.SYSTEM,
    authorize_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    run_predicate: RunPredicate | None = None,
    *,
    is_task: bool = False,
    time_limit: float | None = None,
) -> Decorator:
    """Make a workflow of exactly the steps that the function returns."""
    return _decorator(
        "workflow",
        description,
        target,
        lambda steps: steps,
        initial_input_form,
        authorize_callback,
        retry_auth_callback,
        run_predicate,
        is_task,
        time_limit,
    )


def task(
    description: str = "",
    initial_input_form: Any = None,
    additional_steps: StepList | Step | None = None,
    authorize_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    run_predicate: RunPredicate | None = None,
    *,
    time_limit: float | None = None,
) -> Decorator:
    """Make a task of the system: start, the function's steps, additional steps, done."""
    more = _additional("task", additional_steps)
    return _decorator(
        "task",
        description,
        Target.SYSTEM,
        lambda steps: init >> steps >> more >> done,
        initial_input_form,
        authorize_callback,
        retry_auth_callback,
        run_predicate,
        is_task=True,
        time_limit=time_limit,
    )


def create_workflow(
    description: str = "",
    initial_input_form: Any = None,
    status: SubscriptionLifecycle = SubscriptionLifecycle.ACTIVE,
    additional_steps: StepList | Step | None = None,
    authorize_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    run_predicate: RunPredicate | None = None,
    *,
    time_limit: float | None = None,
) -> Decorator:
    """Make a workflow that creates a subscription, which ends in `status` and in sync.

    The function's steps make the subscription, return it with its `subscription_id`, and store its relation to the
    process.
    """
    final = as_lifecycle(status, "create_workflow")
    if final is SubscriptionLifecycle.TERMINATED:
        raise AuthoringError("create_workflow: a subscription that is created cannot end as TERMINATED")
    more = _additional("create_workflow", additional_steps)
    return _decorator(
        "create_workflow",
        description,
        Target.CREATE,
        lambda steps: init >> steps >> more >> set_status(final) >> resync >> done,
        initial_input_form,
        authorize_callback,
        retry_auth_callback,
        run_predicate,
        time_limit=time_limit,
    )


def modify_workflow(
    description: str = "",
    initial_input_form: Any = None,
    additional_steps: StepList | Step | None = None,
    authorize_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    run_predicate: RunPredicate | None = None,
    *,
    time_limit: float | None = None,
) -> Decorator:
    """Make a workflow that takes a subscription, changes it, and gives it back."""
    more = _additional("modify_workflow", additional_steps)
    return _decorator(
        "modify_workflow",
        description,
        Target.MODIFY,
        lambda steps: init >> store_process_subscription() >> unsync >> steps >> more >> resync >> done,
        initial_input_form,
        authorize_callback,
        retry_auth_callback,
        run_predicate,
        time_limit=time_limit,
    )


def terminate_workflow(
    description: str = "",
    initial_input_form: Any = None,
    additional_steps: StepList | Step | None = None,
    authorize_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    run_predicate: RunPredicate | None = None,
    *,
    time_limit: float | None = None,
) -> Decorator:
    """Make a workflow that takes a subscription, undoes what it stands for, and ends it."""
    more = _additional("terminate_workflow", additional_steps)
    end = set_status(SubscriptionLifecycle.TERMINATED)
    return _decorator(
        "terminate_workflow",
        description,
        Target.TERMINATE,
        lambda steps: init >> store_process_subscription() >> unsync >> steps >> more >> end >> resync >> done,
        initial_input_form,
        authorize_callback,
        retry_auth_callback,
        run_predicate,
        time_limit=time_limit,
    )


def validate_workflow(
    description: str = "",
    run_predicate: RunPredicate | None = None,
    *,
    authorize_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    time_limit: float | None = None,
) -> Decorator:
    """Make a task that checks a subscription, in sync or not."""
    return _decorator(
        "validate_workflow",
        description,
        Target.VALIDATE,
        lambda steps: init >> store_process_subscription() >> unsync_unchecked >> steps >> resync >> done,
        None,
        authorize_callback,
        retry_auth_callback,
        run_predicate,
        is_task=True,
        time_limit=time_limit,
    )


def reconcile_workflow(
    description: str = "",
    additional_steps: StepList | Step | None = None,
    authorize_callback: Authorizer | None = None,
    retry_auth_callback: Authorizer | None = None,
    run_predicate: RunPredicate | None = None,
    *,
    time_limit: float | None = None,
) -> Decorator:
    """Make a workflow that brings the outside systems in line with a subscription, in sync or not."""
    more = _additional("reconcile_workflow", additional_steps)
    return _decorator(
        "reconcile_workflow",
        description,
        Target.RECONCILE,
        lambda steps: init >> store_process_subscription() >> unsync_unchecked >> steps >> more >> resync >> done,
        None,
        authorize_callback,
        retry_auth_callback,
        run_predicate,
        time_limit=time_limit,
    )


def _decorator(
    kind: str,
    description: str,
    target: Target,
    surround: Callable[[StepList], StepList],
    initial_input_form: Any,
    authorize_callback: Authorizer | None,
    retry_auth_callback: Authorizer | None,
    run_predicate: RunPredicate | None,
    is_task: bool = False,
    time_limit: float | None = None,
) -> Decorator:
    if not isinstance(description, str):
        raise AuthoringError(f'write @{kind}("a description"), with brackets; got {description!r}')
    check_time_limit(f"@{kind}", time_limit)

    def decorate(body: Body) -> Workflow:
        name = _name_of(kind, body)
        steps = surround(as_step_list(body(), f"returned by the workflow {name!r}"))
        made = Workflow(
            name,
            description,
            _as_target(kind, target),
            _with_unique_keys(name, steps),
            initial_input_form,
            authorize_callback,
            retry_auth_callback,
            run_predicate,
            is_task,
            time_limit,
        )
        _check(made)
        for missing in unsupplied(made.steps, made.target, made.initial_input_form):
            warn_of(missing, made.name)
        return made

    return decorate


def _name_of(kind: str, body: object) -> str:
    if not callable(body) or isinstance(body, Step):
        raise AuthoringError(f"@{kind} decorates a function that returns steps, not {type(body).__name__}")
    name = getattr(body, "__name__", "")
    if not name.isidentifier():
        raise AuthoringError(f"@{kind} decorates a function with a name, which becomes the name of the workflow")
    return str(name)


def _as_target(kind: str, target: object) -> Target:
    try:
        return Target(target)  # type: ignore[arg-type]
    except ValueError:
        raise AuthoringError(f"@{kind}: {target!r} is not a Target ({', '.join(Target)})") from None


def _additional(kind: str, steps: StepList | Step | None) -> StepList:
    return begin if steps is None else as_step_list(steps, f"in additional_steps of {kind}")


def _with_unique_keys(name: str, steps: StepList) -> tuple[Step, ...]:
    """Number the keys that repeat. A key that the author chose is never changed, so it must not be taken."""
    natural = {one.key for one in steps if not one.has_own_key}
    given: Counter[str] = Counter()
    keyed: list[Step] = []
    for one in steps:
        if one.has_own_key:
            keyed.append(one)
            continue
        key = one.key
        given[key] += 1
        while given[one.key] > 1:
            key = f"{one.key}_{given[one.key]}"
            if key not in natural:
                break
            given[one.key] += 1
        keyed.append(replace(one, key=key))
    for key, times in Counter(one.key for one in keyed).items():
        if times > 1:
            names = " and ".join(repr(one.name) for one in keyed if one.key == key)
            raise AuthoringError(f"workflow {name!r}: the key {key!r} is that of {times} steps: {names}")
    return tuple(keyed)


def _check(made: Workflow) -> None:
    for one, following in zip(made.steps, made.steps[1:], strict=False):
        if isinstance(one.action, Finish) and not one.wrappers:
            raise AuthoringError(
                f"workflow {made.name!r}: the step {following.name!r} stands after {one.name!r} and would never run"
            )
    for one in made.steps:
        if one.function is not None:
            plan_if_resolvable(one.function)
