"""A step and a list of steps: frozen values that `>>` puts together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, SupportsIndex, overload

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import Action, Call, Form, Function, Retry, Wrapper, kind_of
from orchestrator.language.admission import Authorizer
from orchestrator.language.vocabulary import Assignee


@dataclass(frozen=True)
class Step:
    """One thing that a workflow does. Calling it calls the author's function, so that it can be tested alone.

    Attributes:
        name: what people are shown; may change freely.
        key: its place in the workflow; a running process finds its next step by it.
        wrappers: conditions and lenses, the outermost first.
        group: names of the groups it is in, the outermost first.
        has_own_key: whether the author chose the key.
    """

    name: str
    key: str
    action: Action
    wrappers: tuple[Wrapper, ...] = ()
    group: tuple[str, ...] = ()
    assignee: str = Assignee.SYSTEM
    retry: Retry | None = None
    time_limit: float | None = None
    retry_auth_callback: Authorizer | None = None
    resume_auth_callback: Authorizer | None = None
    has_own_key: bool = False

    @property
    def function(self) -> Function | None:
        """The author's function, None for a step of the engine's own."""
        return self.action.function if isinstance(self.action, Call | Form) else None

    @property
    def kind(self) -> str:
        """The word for what the step does."""
        return kind_of(self.action)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the author's function as it was written, without state, conditions or lenses."""
        if self.function is None:
            raise AuthoringError(f"the step {self.name!r} is done by the engine and has no function to call")
        return self.function(*args, **kwargs)

    def __rshift__(self, other: Step | StepList) -> StepList:
        """This step, then the other ones."""
        return StepList((self,)) >> other

    def __rrshift__(self, other: object) -> StepList:
        raise not_a_step(other, f"before the step {self.name!r}")


class StepList(tuple[Step, ...]):
    """Steps in their order. `>>` appends a step or another list and is associative."""

    __slots__ = ()

    def __new__(cls, steps: Iterable[Step] = ()) -> StepList:
        """Make a list of steps.

        Raises:
            AuthoringError: something in it is not a step.
        """
        made = super().__new__(cls, steps)
        for one in made:
            if not isinstance(one, Step):
                raise not_a_step(one, "in a StepList")
        return made

    def __rshift__(self, other: Step | StepList) -> StepList:
        """These steps, then the other ones."""
        after = f"after the step {self[-1].name!r}" if self else "at the start"
        return StepList((*self, *as_step_list(other, after)))

    def __rrshift__(self, other: object) -> StepList:
        raise not_a_step(other, f"before the step {self[0].name!r}" if self else "before an empty StepList")

    @overload
    def __getitem__(self, index: SupportsIndex) -> Step: ...
    @overload
    def __getitem__(self, index: slice) -> StepList: ...
    def __getitem__(self, index: SupportsIndex | slice) -> Step | StepList:
        """One step, or a part as a StepList."""
        if isinstance(index, slice):
            return StepList(super().__getitem__(index))
        return super().__getitem__(index)

    def map(self, change: Callable[[Step], Step]) -> StepList:
        """The list with every step changed by a function."""
        return StepList(change(one) for one in self)

    def __repr__(self) -> str:
        return f"StepList({' >> '.join(one.key for one in self)})"


def as_step_list(value: object, place: str) -> StepList:
    """A step or a list of steps as a list.

    Raises:
        AuthoringError: it is neither; the message names it and the place.
    """
    match value:
        case StepList():
            return value
        case Step():
            return StepList((value,))
        case _:
            raise not_a_step(value, place)


def not_a_step(value: object, place: str) -> AuthoringError:
    """The error for something that stands where a step should."""
    name = getattr(value, "__qualname__", None) or getattr(value, "name", None)
    shown = f"{type(value).__name__} {name!r}" if name else type(value).__name__
    return AuthoringError(f"{shown} {place} is neither a step nor a StepList{_hint(value)}")


def _hint(value: object) -> str:
    """What the author meant, as far as that can be told."""
    if value is None:
        return "; is a return missing, or was a step called, which is only named here?"
    if isinstance(value, dict):
        return "; was a step called, which is only named here: `>> my_step`, without brackets?"
    if not callable(value):
        return ""
    name = getattr(value, "__name__", "")
    if getattr(value, "__module__", "").startswith("orchestrator."):
        return f"; call it: {name}(...)"
    return '; is it missing its @step("...")?'
