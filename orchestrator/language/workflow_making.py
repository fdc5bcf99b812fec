"""How a decorator makes a workflow: from a function that returns steps, with the steps of its kind around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import Finish
from orchestrator.language.admission import Authorizer, RunPredicate
from orchestrator.language.parameters import plan_if_resolvable
from orchestrator.language.step_checks import check_function, check_time_limit
from orchestrator.language.step_keys import with_unique_keys
from orchestrator.language.step_list import Step, StepList, as_step_list
from orchestrator.language.supply import unsupplied, warn_of, warn_of_form
from orchestrator.language.vocabulary import Target
from orchestrator.language.workflow_definition import Workflow

Body = Callable[[], StepList | Step]
Decorator = Callable[[Body], Workflow]


def decorator(
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
    """The decorator that makes a workflow of a function that returns steps.

    Args:
        kind: what messages call the decorator; the others are as for `workflow`.
        surround: puts the steps of this kind of workflow around those that the function returns.

    Raises:
        AuthoringError: an argument cannot be used; from the decorator as for `workflow`, with the workflow's name.
    """
    if not isinstance(description, str):
        raise AuthoringError(f'write @{kind}("a description"), with brackets; got {description!r}')
    check_time_limit(f"@{kind}", time_limit)

    def decorate(body: Body) -> Workflow:
        name = _name_of(kind, body)
        steps = surround(as_step_list(_written(name, body), f"returned by the workflow {name!r}"))
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


def _written(name: str, body: Body) -> StepList | Step:
    """The steps that the author wrote; what is wrong among them is told with the name of the workflow."""
    try:
        return body()
    except AuthoringError as error:
        raise AuthoringError(f"workflow {name!r}: {error}") from error


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
