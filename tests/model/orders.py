"""Orders of events that hang on one rule of the protocol: the model must notice when it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

from tests.model.machine import ProtocolModel

Events = Iterator[Callable[[], Any]]

# After so many bells both children of a family stand at their last step, and the line beside it has ended.
_TO_THE_LAST_STEP_OF_CHILDREN: Final = 10


def two_bells_for_one_step(model: ProtocolModel) -> Events:
    """A bell comes four times, and all who are idle hear it."""
    yield partial(model.start_two, ("line", "line"), 2)
    yield partial(model.copy_bell, 0)
    yield partial(model.all_go_to, 0, "function", False)


def late_result(model: ProtocolModel) -> Events:
    """A step loses its lock, another worker runs and records it, then the first wants to record."""
    yield partial(model.start_two, ("line", "line"), 2)
    yield partial(model.go_to, 0, "function", False)
    yield partial(model.strike, 0, True, "lose lock")
    yield partial(model.go_on, 0, 10, False)


def paused_in_a_burst(model: ProtocolModel) -> Events:
    """The engine is paused while a worker that goes on by itself is in a step."""
    yield partial(model.start_two, ("alone", "alone"), 0, {0})
    yield partial(model.go_to, 0, "function", False)
    yield partial(model.operate, 0, "pause all")
    yield partial(model.go_on, 0, 10, False)


def bell_heard_before_the_commit(model: ProtocolModel) -> Events:
    """A worker is about to commit, and somebody hears what bell there is."""
    yield partial(model.start_two, ("line", "line"), 2)
    yield partial(model.go_to, 0, "unlock", False)
    yield partial(model.work, 1, 1)
    yield partial(model.go_on, 0, 10, False)


def resumed_right_after_the_commit(model: ProtocolModel) -> Events:
    """A failure has just been committed, an operator resumes it, and the bell is heard before its worker goes on."""
    yield partial(model.start_two, ("line", "line"), 2)
    yield partial(model.go_to, 0, "committed", True)
    yield partial(model.resume, 0, True)
    yield partial(model.go_on, 0, 10, False)


def last_two_children_at_once(model: ProtocolModel) -> Events:
    """Both children are about to look after their parent."""
    yield partial(model.start_two, ("family", "line"), _TO_THE_LAST_STEP_OF_CHILDREN)
    yield partial(model.all_go_to, 0, "lock parent", False)
    yield partial(model.go_on, 0, 10, False)
    yield partial(model.go_on, 0, 10, False)


def last_child_of_a_paused_parent(model: ProtocolModel) -> Events:
    """The last child ends while its parent is paused, which is then let go on."""
    yield partial(model.start_two, ("family", "line"), _TO_THE_LAST_STEP_OF_CHILDREN)
    yield partial(model.operate, 0, "pause")
    yield partial(model.work, 0, 2)
    yield model.unpause


def last_child_aborted_behind_an_old_bell(model: ProtocolModel) -> Events:
    """The clock wakes the parent of a child that was aborted, whose bell is still there."""
    yield partial(model.start_two, ("family", "line"), _TO_THE_LAST_STEP_OF_CHILDREN)
    yield partial(model.work, 0, 1)
    yield partial(model.operate, 1, "abort")
    yield model.sweep
    yield partial(model.work, 0, 1)
    yield model.sweep


def all_bells_lost(model: ProtocolModel) -> Events:
    """The broker forgets everything."""
    yield partial(model.start_two, ("line", "line"), 2)
    yield partial(model.lose_bells, 0, True)


def play(model: ProtocolModel, order: Callable[[ProtocolModel], Events]) -> None:
    """Let these events happen, and all come to rest; after each one all that must hold is looked at.

    Raises:
        AssertionError: something does not hold.
    """
    try:
        for event in order(model):
            event()
            model.all_holds()
    finally:
        model.teardown()
