"""Finding parameters that nothing can supply, when a workflow is defined, as far as that can be known.

What a function returns is read off its source: `return {"key": ...}` with constant keys is known. Anything else makes
the state unknown from there on, and nothing after it is reported. A report is therefore never a guess, and silence is
no promise.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from types import FunctionType
from typing import Any, Final, assert_never

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import (
    Abort,
    AwaitCallback,
    Call,
    Children,
    Finish,
    Form,
    Function,
    Lens,
    Resync,
    SetStatus,
    Sleep,
    Start,
    StoreProcessSubscription,
    Unsync,
    Until,
    When,
)
from orchestrator.language.parameters import plan_if_resolvable
from orchestrator.language.step_list import Step
from orchestrator.language.vocabulary import Target

_ALWAYS: Final = frozenset({"process_id", "reporter", "workflow_name", "workflow_target"})
# What is handed to steps, and not to forms, which run before an attempt at their step has begun.
_OF_ATTEMPT: Final = frozenset({"idempotency_key"})
_OF_PRODUCT: Final = frozenset({"product", "product_name"})
_OF_SUBSCRIPTION: Final = frozenset({"subscription_id", "product", "customer_id", "version"})


class UnsuppliedParameterWarning(UserWarning):
    """A parameter of a step, or of the form that starts a workflow, is supplied by nothing that comes before it."""


@dataclass(frozen=True)
class Unsupplied:
    """A parameter without a default that no form, built-in key or earlier step supplies."""

    step: Step
    function: Function
    parameter: str


@dataclass(frozen=True)
class _Change:
    """The keys that a function adds to the state and takes out of it."""

    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


def unsupplied(steps: Iterable[Step], target: Target, form: Any) -> Iterator[Unsupplied]:
    """Parameters that cannot be in the state when their step runs. Never raises."""
    entered = _entered(form)
    if entered is None:
        return
    known = _ALWAYS | _begin(target) | entered
    for one in steps:
        focused = next((wrapper for wrapper in one.wrappers if isinstance(wrapper, Lens)), None)
        if focused is None and one.function is not None:
            for name in _asked_for(one.function):
                if name not in known | _handed_to(one):
                    yield Unsupplied(one, one.function, name)
        change = _change(one) if focused is None else _focused_change(focused)
        if change is None:
            return
        known |= change.added
        # A step under a condition may be skipped, so that what it would take out may be there still.
        if not any(isinstance(wrapper, When) for wrapper in one.wrappers):
            known -= change.removed


def warn_of(missing: Unsupplied, workflow: str) -> None:
    """Warn of an unsupplied parameter at the place where its function is defined."""
    _warn(
        missing.function,
        f"workflow {workflow!r}: nothing before the step {missing.step.name!r} (key {missing.step.key}) supplies its "
        f"parameter {missing.parameter!r}",
    )


def warn_of_form(form: Any, target: Target, workflow: str) -> None:
    """Warn of each parameter of the form that starts a workflow which the page before it cannot supply."""
    if form is None or isinstance(form, type):
        return
    known = _ALWAYS | _begin(target)
    for name in _asked_for(form):
        if name not in known:
            hint = ""
            if name == "subscription" and "subscription_id" in known:
                hint = "; load it in the form, with Model.from_subscription(subscription_id)"
            _warn(
                form,
                f"workflow {workflow!r}: nothing supplies the parameter {name!r} of its form, which can ask for "
                f"{', '.join(sorted(known))}{hint}",
            )


def _warn(function: Function, message: str) -> None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    place = (code.co_filename, code.co_firstlineno) if code is not None else (__file__, 1)
    warnings.warn_explicit(message, UnsuppliedParameterWarning, *place)


def _begin(target: Target) -> frozenset[str]:
    match target:
        case Target.CREATE:
            return _OF_PRODUCT
        case Target.SYSTEM:
            # The row in the database may give it a subscription.
            return _OF_PRODUCT | _OF_SUBSCRIPTION
        case Target.MODIFY | Target.TERMINATE | Target.VALIDATE | Target.RECONCILE:
            return _OF_SUBSCRIPTION
    assert_never(target)


def _entered(form: Any) -> frozenset[str] | None:
    """The keys that the initial form puts into the state, None when they cannot be known."""
    if form is None:
        return frozenset()
    if isinstance(form, type):
        fields = getattr(form, "model_fields", None)
        return frozenset(fields) if isinstance(fields, dict) else None
    if not inspect.isgeneratorfunction(form):
        return None
    change = _returned(form)
    return None if change is None else change.added


def _asked_for(function: Function) -> Iterator[str]:
    try:
        plan = plan_if_resolvable(function)
    except AuthoringError:
        return
    for parameter in plan or ():
        if not parameter.may_be_missing:
            yield parameter.name


def _handed_to(step: Step) -> frozenset[str]:
    """What a step is given that is not in the state."""
    if not isinstance(step.action, Call):
        return frozenset()
    route = step.action.callback_route_key
    return _OF_ATTEMPT if route is None else _OF_ATTEMPT | {route}


def _change(step: Step) -> _Change | None:
    match step.action:
        case AwaitCallback(result_key):
            return _Change(frozenset({result_key}))
        case Call(function):
            return _returned(function)
        case Form(function):
            return _returned(function) if inspect.isgeneratorfunction(function) else None
        case Start() | Finish() | Abort() | Sleep() | Until() | Children():
            return _Change()
        case SetStatus() | Unsync() | Resync() | StoreProcessSubscription():
            return _Change(frozenset({"subscription", "subscription_id"}))
    assert_never(step.action)


def _focused_change(lens: Lens) -> _Change | None:
    return None if lens.key is None else _Change(frozenset({lens.key}))


def _returned(function: Function) -> _Change | None:
    """What the `return` statements of a function add and remove, None when that cannot be read off its source."""
    if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
        return None
    return _read_off(function)


@cache
def _read_off(function: FunctionType) -> _Change | None:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, ValueError, SyntaxError, RecursionError):
        return None
    if not tree.body or not isinstance(tree.body[0], ast.FunctionDef):
        return None
    change = _Change()
    for statement in _own_returns(tree.body[0].body):
        one = _literal(statement.value)
        if one is None:
            return None
        change = _Change(change.added | one.added, change.removed | one.removed)
    # What one branch adds and another removes may be there.
    return _Change(change.added, change.removed - change.added)


def _own_returns(nodes: Iterable[ast.AST]) -> Iterator[ast.Return]:
    for node in nodes:
        if isinstance(node, ast.Return):
            yield node
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _own_returns(ast.iter_child_nodes(node))


def _literal(value: ast.expr | None) -> _Change | None:
    match value:
        case None | ast.Constant(value=None):
            return _Change()
        case ast.Dict(keys=keys, values=values):
            added: set[str] = set()
            removed: set[str] = set()
            for key, item in zip(keys, values, strict=True):
                if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                    return None
                is_removed = isinstance(item, ast.Name) and item.id == "REMOVED"
                (removed if is_removed else added).add(key.value)
            return _Change(frozenset(added), frozenset(removed))
        case _:
            return None
