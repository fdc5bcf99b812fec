"""Running one step's function: decide, build its arguments, call it, and turn what it returns into a delta.

The phases are apart, because the caller loads arguments in a transaction that ends before the function runs:

    match prepare(step, state, loader, extras):     conditions, lenses, arguments
        case Skipped(): ...
        case Prepared() as prepared:
            result = prepared.run()                 the author's function and nothing else
            outcome = prepared.settle(result)       the delta against the whole state
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, assert_never

from orchestrator.errors import AuthoringError, StepResultError
from orchestrator.language.actions import Lens, When, Wrapper
from orchestrator.language.arguments import NO_EXTRAS, ModelLoader, build_arguments
from orchestrator.language.json_values import copy_json
from orchestrator.language.outcomes import Done, Skipped
from orchestrator.language.parameters import name_of_function
from orchestrator.language.step_list import Step
from orchestrator.language.vocabulary import REMOVED, State

_ABSENT: Final = object()


class _Blame(str):
    """A note on an exception that says whose it is; notes that authors add themselves are others."""

    __slots__ = ()


@dataclass(frozen=True)
class Focus:
    """The part of the state that a step works on, and the way back through its lenses.

    `outer` is the whole state; `lenses` has each lens, the outermost first, with the state that it was given.
    """

    label: str
    outer: State
    inner: State
    lenses: tuple[tuple[Lens, State], ...] = ()

    def widen(self, done: Done) -> Done:
        """What a change of the part changes in the whole state: only keys that differ.

        Raises:
            StepResultError: a lens does not give back a dict.
        Exception: what a lens raises.
        """
        if not self.lenses or done == Done():
            return done
        part = {key: value for key, value in {**self.inner, **done.delta}.items() if key not in done.removed}
        for lens, state in reversed(self.lenses):
            try:
                whole = lens.set(state)(part)
            except Exception as error:
                _note(error, f"raised by {name_of_function(lens.set)}, the set of this step's lens")
                raise
            part = _a_dict(whole, self.label, "the set of its lens")
        delta = {key: value for key, value in part.items() if not _same(self.outer.get(key, _ABSENT), value)}
        return Done(delta, tuple(key for key in self.outer if key not in part))


@dataclass(frozen=True)
class Prepared:
    """A step that can run: its function and its arguments."""

    function: Callable[..., Any]
    arguments: Mapping[str, Any]
    focus: Focus

    def run(self) -> object:
        """Call the author's function. What it raises passes through."""
        return self.function(**self.arguments)

    def settle(self, result: object) -> Done:
        """The delta for what the function returned: a dict, or None for no change.

        Live models in it are left as they are.

        Raises:
            StepResultError: it is anything else, or a key is not text.
        """
        return self.focus.widen(read_result(result, self.focus.label))

    def call(self) -> Done:
        """Run and settle."""
        return self.settle(self.run())


def prepare(
    step: Step,
    state: State,
    loader: ModelLoader,
    extras: Mapping[str, object] = NO_EXTRAS,
    handed: Mapping[str, object] = NO_EXTRAS,
) -> Prepared | Skipped:
    """Decide whether a step runs, and build its arguments.

    Args:
        step: one with a function (Call or Form).
        state: the state of the process; it is not changed.
        extras: values by name for parameters that the state lacks (`idempotency_key`, `process_id`).
        handed: values by name that win over what the state has under these names.

    Raises:
        MissingParameterError, ArgumentError, AuthoringError: see `build_arguments`.
        StepResultError: a lens does not give a dict.
        Exception: what a predicate, a lens or the loader raises.
    """
    function = step.function
    if function is None:
        raise AuthoringError(f"the step {step.name!r} is done by the engine and has no function to call")
    focus = focus_on(step, state)
    if isinstance(focus, Skipped):
        return focus
    inner = {key: value for key, value in focus.inner.items() if key not in handed} if handed else focus.inner
    return Prepared(function, build_arguments(function, inner, loader, {**extras, **handed}, focus.label), focus)


def focus_on(step: Step, state: State) -> Focus | Skipped:
    """Go through a step's conditions and lenses, the outermost first. For steps of any kind.

    Raises:
        StepResultError: a lens does not give a dict.
        Exception: what a condition or a lens raises; `blamed` tells which.
    """
    label = label_of(step, state)
    inner, is_copy = state, False
    lenses: list[tuple[Lens, State]] = []
    for wrapper in step.wrappers:
        if not is_copy and not _changes_nothing(wrapper):
            # Authors' predicates and lenses get a copy: what one of them changes in it must not change what deltas are
            # measured against.
            inner, is_copy = copy_json(inner), True
        match wrapper:
            case When(predicate):
                try:
                    holds = predicate(inner)
                except Exception as error:
                    _note(error, f"raised by the condition {name_of_function(predicate)} of this step")
                    raise
                if not holds:
                    return Skipped()
            case Lens(get):
                lenses.append((wrapper, inner))
                try:
                    part = get(inner)
                except Exception as error:
                    _note(error, f"raised by {name_of_function(get)}, the get of this step's lens")
                    raise
                inner = _a_dict(part, label, "the get of its lens")
            case _:
                assert_never(wrapper)
    return Focus(label, state, inner, tuple(lenses))


def _note(error: Exception, note: str) -> None:
    """Say on an author's exception where it comes from; the same one may be raised again and again."""
    if note not in getattr(error, "__notes__", ()):
        error.add_note(_Blame(note))


def blamed(error: BaseException) -> str | None:
    """Which of its functions beside a step raised this, if one did: "raised by the condition ... of this step"."""
    notes = getattr(error, "__notes__", ())
    return next((str(note) for note in notes if isinstance(note, _Blame)), None)


def _changes_nothing(wrapper: Wrapper) -> bool:
    """Whether none of its functions is an author's: those of `focussteps` leave what they are given as it is."""
    return isinstance(wrapper, Lens) and wrapper.key is not None


def read_result(result: object, label: str) -> Done:
    """What an author's function returned as a delta.

    Raises:
        StepResultError: neither a dict nor None, or a key that is not text.
    """
    if result is None:
        return Done()
    if not isinstance(result, dict):
        hint = "; a function with a yield is a form, use @inputstep" if inspect.isgenerator(result) else ""
        raise StepResultError(f"{label} returned a value of type {type(result).__name__}, not a dict{hint}")
    for key in result:
        if not isinstance(key, str):
            raise StepResultError(
                f"{label} returned a dict with the key {key!r} of type {type(key).__name__}, not text"
            )
    delta = {key: value for key, value in result.items() if value is not REMOVED}
    return Done(delta, tuple(key for key, value in result.items() if value is REMOVED))


def label_of(step: Step, state: State) -> str:
    """How messages call a step: its name, its key and its workflow."""
    workflow = state.get("workflow_name")
    return f"Step {step.name!r} (key {step.key})" + (f" of {workflow}" if isinstance(workflow, str) else "")


def _a_dict(value: object, label: str, what: str) -> State:
    if not isinstance(value, dict):
        raise StepResultError(f"{label}: {what} gave a value of type {type(value).__name__}, not a dict")
    return value


def _same(one: Any, other: Any) -> bool:
    """Equal as stored values: 1, 1.0 and True are three values; a live model is never the same as its dict."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return isinstance(one, str | int | float | bool) and one == other
