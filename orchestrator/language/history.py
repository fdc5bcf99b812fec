"""What the state of a process was before one of its steps, or is now: that where it began, and what steps changed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestrator.language.vocabulary import State

# What a step added to the state, and the keys that it took out before.
Change = tuple[State, Sequence[str]]


@dataclass(frozen=True)
class Beginning:
    """The state with which a generation began: the start of the process, or a rerun or migrate."""

    generation: int
    state: State


@dataclass(frozen=True)
class Recorded:
    """A step that was done or skipped, and what it changed."""

    generation: int
    key: str
    delta: State
    removed: tuple[str, ...] = ()


def state_before(
    keys: Sequence[str], beginnings: Sequence[Beginning], recorded: Sequence[Recorded], present: State
) -> State | None:
    """The state as it was before a step.

    Args:
        keys: the step, and those after it that the process has passed since. Of a step that never ran, because the
            process was moved past it, the state is that before the next one that did.
        beginnings: of all generations, in their order.
        recorded: all steps that were done or skipped, in the order in which they were recorded.
        present: the state of the process now: before a step that was not recorded yet.

    Returns:
        The state; None when the beginning of that generation was not kept.
    """
    for key in keys:
        last = max((number for number, one in enumerate(recorded) if one.key == key), default=None)
        if last is not None:
            generation = recorded[last].generation
            begun = next((one for one in beginnings if one.generation == generation), None)
            before = [(one.delta, one.removed) for one in recorded[:last] if one.generation == generation]
            return None if begun is None else _merged(begun.state, before)
    return dict(present)


def present_state(began: State, changes: Iterable[Change]) -> State:
    """The state as it is now, with its keys in the order in which PostgreSQL keeps them.

    Args:
        began: the state of the last beginning. Its generation may have recorded steps before it, when the process was
            moved to another version: what these changed is in it already, and changed again in the same order it comes
            to the same.
        changes: of all steps of its generation, in the order in which they were recorded.
    """
    merged = _merged(began, changes)
    return dict(sorted(merged.items(), key=lambda item: (len(item[0].encode()), item[0].encode())))


def _merged(state: State, changes: Iterable[Change]) -> State:
    merged = dict(state)
    for delta, removed in changes:
        for key in removed:
            merged.pop(key, None)
        merged.update(delta)
    return merged
