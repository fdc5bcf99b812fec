"""The decorators that make workflows from functions that return steps. `workflow` explains the arguments of all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import Finish
from orchestrator.language.admission import Authorizer, RunPredicate
from orchestrator.language.parameters import plan_if_resolvable
from orchestrator.language.step_checks import as_lifecycle, check_function, check_time_limit
from orchestrator.language.step_keys import with_unique_keys
from orchestrator.language.step_list import Step, StepList, as_step_list
from orchestrator.language.steps import (
    begin,
    done,
    init,
    resync,
    set_status,
    store_process_subscription,
    unsync,
    unsync_unchecked,
)
from orchestrator.language.supply import unsupplied, warn_of, warn_of_form
from orchestrator.language.vocabulary import SubscriptionLifecycle, Target
from orchestrator.language.workflow_definition import Workflow

Body = Callable[[], StepList | Step]
Decorator = Callable[[Body], "Workflow"]


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
    """Make a workflow of exactly the steps that the function returns.

    Args:
        description: what people are shown; the name is that of the function.
        initial_input_form: asks for input before the start: a generator function of form pages, a page class, or a
            function that returns one.
        target: what it does to a subscription.
        authorize_callback: who may start and abort it; everybody when not given.
        retry_auth_callback: who may run a step again that failed; `authorize_callback` decides when not given.
        run_predicate: whether it may start now.
        is_task: a check or a piece of housekeeping, shown and queued apart from what customers wait for.
        time_limit: seconds that a process has from its start; as long as it takes when not given.

    Other decorators put steps of their own around those of the function, and `additional_steps` behind them.

    Raises:
        AuthoringError: what is decorated is no function that returns steps, two steps have one key, a step could never
            run, or an argument is none of these.
    """
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
            with_unique_keys(name, steps),
            initial_input_form,
            authorize_callback,
            retry_auth_callback,
            run_predicate,
            is_task,
            time_limit,
        )
        _check(made)
        warn_of_form(made.initial_input_form, made.target, made.name)
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


def _check(made: Workflow) -> None:
    for one, following in zip(made.steps, made.steps[1:], strict=False):
        if isinstance(one.action, Finish) and not one.wrappers:
            raise AuthoringError(
                f"workflow {made.name!r}: the step {following.name!r} stands after {one.name!r} and would never run"
            )
    form = made.initial_input_form
    if form is not None and not isinstance(form, type):
        check_function(f"the form of the workflow {made.name!r}", form)
        plan_if_resolvable(form)
    for one in made.steps:
        if one.function is not None:
            plan_if_resolvable(one.function)
