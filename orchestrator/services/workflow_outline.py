"""The steps of a workflow as they are drawn: boxes in boxes, and what is marked on each step."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from orchestrator.language.actions import AwaitCallback, Children, Lens, Retry, When
from orchestrator.language.step_list import Step
from orchestrator.language.vocabulary import Assignee
from orchestrator.language.workflow_definition import Workflow

# How a step is drawn: an edge of the process, a person, a wait, work of the engine, or a function of the author's.
Shape = Literal["edge", "person", "wait", "engine", "function"]

_SHAPES: Final[dict[str, Shape]] = {
    "start": "edge",
    "finish": "edge",
    "abort": "edge",
    "form": "person",
    "await_callback": "wait",
    "sleep_for": "wait",
    "wait_until": "wait",
    "children": "wait",
    "set_status": "engine",
    "unsync": "engine",
    "unsync_unchecked": "engine",
    "resync": "engine",
    "store_process_subscription": "engine",
}


# Control characters, of which a terminal makes what it likes, and what XML or UTF-8 has no way to write.
_UNSHOWABLE: Final = re.compile("[^\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class DrawnStep:
    """A step: what people call it, its key, and a line for each thing that is marked on it."""

    name: str
    key: str
    shape: Shape
    marks: tuple[str, ...]


@dataclass(frozen=True)
class Box:
    """Steps in their order that belong together: a group, or what one condition is asked before."""

    label: str
    is_condition: bool
    items: tuple[DrawnStep | Box, ...]


@dataclass(frozen=True)
class Outline:
    """A workflow as it is drawn."""

    name: str
    description: str
    marks: tuple[str, ...]
    items: tuple[DrawnStep | Box, ...]


def one_line(text: str) -> str:
    """The text as it can be drawn: white space as single blanks, what cannot be shown as the replacement character."""
    return _UNSHOWABLE.sub("\ufffd", " ".join(text.split()))


def outline_of(workflow: Workflow) -> Outline:
    """What is drawn of a workflow."""
    marks = [str(workflow.target)]
    if workflow.is_task:
        marks.append("a task")
    if workflow.initial_input_form is not None:
        marks.append("starts with a form")
    if workflow.time_limit is not None:
        marks.append(f"at most {_shown(workflow.time_limit)}")
    return Outline(workflow.name, workflow.description, tuple(marks), tuple(_items(workflow.steps, 0, 0)))


def _items(steps: Sequence[Step], groups: int, conditions: int) -> Iterator[DrawnStep | Box]:
    """These steps, which are inside of so many groups and conditions already."""
    while steps:
        in_group = _run(steps, lambda one: one.group[groups : groups + 1])
        in_condition = _run(steps, lambda one: _conditions(one)[conditions : conditions + 1])
        in_condition = _before_a_cut(steps, in_condition, groups)
        if in_condition and in_condition >= in_group:
            predicate = _conditions(steps[0])[conditions].predicate
            inside = tuple(_items(steps[:in_condition], groups, conditions + 1))
            yield Box(f"only if {_called(predicate)}", True, inside)
            steps = steps[in_condition:]
        elif in_group:
            inside = tuple(_items(steps[:in_group], groups + 1, conditions))
            yield Box(steps[0].group[groups], False, inside)
            steps = steps[in_group:]
        else:
            yield _drawn(steps[0])
            steps = steps[1:]


def _run(steps: Sequence[Step], frame: Callable[[Step], Sequence[Any]]) -> int:
    """How many of the first steps are in the same frame as the first one; 0 when that is in none."""
    first = frame(steps[0])
    if not first:
        return 0
    return next((number for number, one in enumerate(steps) if frame(one) != first), len(steps))


def _before_a_cut(steps: Sequence[Step], end: int, groups: int) -> int:
    """The same end, or an earlier one, at which no group is cut in two."""
    while 0 < end < len(steps):
        inside, outside = steps[end - 1].group[groups : groups + 1], steps[end].group[groups : groups + 1]
        if not inside or inside != outside:
            break
        end -= 1
    return end


def _conditions(step: Step) -> tuple[When, ...]:
    return tuple(one for one in step.wrappers if isinstance(one, When))


def _drawn(step: Step) -> DrawnStep:
    return DrawnStep(step.name, step.key, _SHAPES.get(step.kind, "function"), tuple(_marks(step)))


def _marks(step: Step) -> Iterator[str]:
    if step.assignee != Assignee.SYSTEM:
        yield f"asks {step.assignee}"
    match step.action:
        case AwaitCallback(time_limit=limit):
            yield "waits for a callback" if limit is None else f"waits for a callback, at most {_shown(limit)}"
        case Children():
            yield "starts processes and waits for their end"
    yield from (f"on {one.key!r} of the state" if one.key else "on a part of the state" for one in _lenses(step))
    if step.retry is not None:
        yield _told(step.retry)
    if step.time_limit is not None:
        yield f"at most {_shown(step.time_limit)}"


def _lenses(step: Step) -> Iterator[Lens]:
    return (one for one in step.wrappers if isinstance(one, Lens))


def _told(retry: Retry) -> str:
    times = "tried without end" if retry.attempts is None else f"tried up to {retry.attempts} times"
    return f"{times}, the first pause {_shown(retry.wait)}"


def _called(function: Callable[..., Any]) -> str:
    name = str(getattr(function, "__name__", "") or type(function).__name__)
    return "a condition holds" if name == "<lambda>" else name


def _shown(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"
