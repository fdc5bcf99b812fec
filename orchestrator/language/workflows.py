"""The decorators that make workflows from functions that return steps. `workflow` explains the arguments of all."""

from __future__ import annotations

from typing import Any

from orchestrator.errors import AuthoringError
from orchestrator.language.admission import Authorizer, RunPredicate
from orchestrator.language.step_checks import as_lifecycle
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
from orchestrator.language.vocabulary import SubscriptionLifecycle, Target
from orchestrator.language.workflow_making import Decorator, decorator


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
    return decorator(
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
    return decorator(
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
    return decorator(
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
    return decorator(
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
    return decorator(
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
    return decorator(
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
    return decorator(
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


def _additional(kind: str, steps: StepList | Step | None) -> StepList:
    return begin if steps is None else as_step_list(steps, f"in additional_steps of {kind}")
