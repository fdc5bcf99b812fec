"""What the state of a process was before one of its steps: the state where it began, and what steps changed since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.language.vocabulary import State


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
            before = [one for one in recorded[:last] if one.generation == generation]
            return None if begun is None else _merged(begun.state, before)
    return dict(present)


def _merged(state: State, recorded: Sequence[Recorded]) -> State:
    merged = dict(state)
    for one in recorded:
        merged = {key: value for key, value in merged.items() if key not in one.removed} | one.delta
    return merged
