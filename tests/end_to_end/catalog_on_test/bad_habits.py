"""Steps that do what no step should. Each must fail by itself, with a reason, and leave the worker alive."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import text

from orchestrator import FormGenerator, FormPage, State, StepList, begin, db, step, task


class UnspeakableError(Exception):
    """Cannot even be shown."""

    def __str__(self) -> str:
        raise ValueError("no words")


def _raise(error: BaseException) -> Any:
    raise error


def _fall() -> Any:
    return _fall()


def _commit() -> State:
    db.session.execute(text("INSERT INTO ledger (entry) VALUES ('committed by a step')"))
    db.session.commit()
    return {}


def _raw_commit() -> State:
    db.session.execute(text("SELECT 1"))
    db.session.execute(text("COMMIT"))
    return {}


def _itself() -> State:
    inner: State = {}
    inner["inner"] = inner
    return inner


HABITS: Final[dict[str, Callable[[], Any]]] = {
    "returns a set": lambda: {"value": {1, 2}},
    "returns NaN": lambda: {"value": float("nan")},
    "returns a NUL": lambda: {"value": "a\x00b"},
    "returns a lone surrogate": lambda: {"value": "a\ud800b"},
    "returns 2**70": lambda: {"value": 2**70},
    "returns 300 MB": lambda: {"value": "x" * 300_000_000},
    "returns itself": _itself,
    "returns no dict": lambda: "done",
    "raises with a NUL": lambda: _raise(RuntimeError("a\x00b")),
    "raises with a lone surrogate": lambda: _raise(RuntimeError("a\udcffb")),
    "raises the unspeakable": lambda: _raise(UnspeakableError()),
    "never stops calling itself": _fall,
    "commits": _commit,
    "sends COMMIT": _raw_commit,
    "calls sys.exit": lambda: sys.exit(3),
}


class HabitPage(FormPage):
    """What the step shall do."""

    habit: str


def habit_form() -> FormGenerator:
    """One page."""
    page = yield HabitPage
    return page.model_dump()


@step("Misbehave")
def do_it(habit: str) -> State:
    """Whatever was asked for."""
    result: State = HABITS[habit]()
    return result


@task("Misbehave", initial_input_form=habit_form)
def misbehave() -> StepList:
    """One step."""
    return begin >> do_it


@step("Make a state that cannot be foreseen")
def unforeseen() -> State:
    """Returns nothing that could be known when the workflow is defined."""
    return State(given=1)


@step("Ask for what nobody gave")
def ask_too_much(never_given: str) -> State:
    """Never runs."""
    return {"got": never_given}


@task("Lack a parameter")
def lacks_a_parameter() -> StepList:
    """The second step cannot run."""
    return begin >> unforeseen >> ask_too_much


@step("Take too long", time_limit=0.5)
def take_too_long() -> State:
    """Can be interrupted."""
    time.sleep(60)
    return {}


@task("Take too long")
def takes_too_long() -> StepList:
    """One step."""
    return begin >> take_too_long


@step("Listen to nobody", time_limit=0.5)
def listen_to_nobody() -> State:
    """Cannot be interrupted, as C code that holds all of Python up."""
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
    ctypes.PyDLL(None).sleep(60)
    return {}


@task("Listen to nobody")
def listens_to_nobody() -> StepList:
    """One step."""
    return begin >> listen_to_nobody


@step("End the worker child")
def die() -> State:
    """As a crash in a library would."""
    os._exit(1)


@task("Kill whoever runs it")
def endless_death() -> StepList:
    """One step."""
    return begin >> die
