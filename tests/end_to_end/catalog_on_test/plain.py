"""Tasks that need no subscription."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from sqlalchemy import text

from catalog_on_test.gates import is_open, pass_through, visit
from orchestrator import (
    FormGenerator,
    FormPage,
    State,
    Step,
    StepList,
    SubmitFormPage,
    Target,
    begin,
    db,
    inputstep,
    step,
    task,
    workflow,
)

GateName = Annotated[str, Field(pattern="^[a-z0-9-]{1,60}$")]


class GatePage(FormPage):
    """Which gate the workflow comes to."""

    gate: GateName


def gate_form() -> FormGenerator:
    """One page."""
    page = yield GatePage
    return page.model_dump()


def numbered(number: int) -> Step:
    """One of ten."""

    @step(f"Step {number}", key=f"step_{number}")
    def count(counted: int = 0) -> State:
        return {"counted": counted + 1}

    return count


@task("Ten trivial steps")
def ten_steps() -> StepList:
    """One to ten."""
    steps = begin
    for number in range(1, 11):
        steps = steps >> numbered(number)
    return steps


@workflow("Two trivial steps and nothing else", target=Target.SYSTEM)
def two_steps() -> StepList:
    """As few messages as a process can take that has one after the other."""
    return begin[:0] >> numbered(1) >> numbered(2)


def enter_in_ledger(entry: str) -> None:
    """A row of the step's own, in its transaction."""
    db.session.execute(text("INSERT INTO ledger (entry) VALUES (:entry)"), {"entry": entry})


@step("Enter in the ledger, then wait at the gate")
def enter_and_wait(gate: str) -> State:
    """Its row must be there once, however often it begins."""
    enter_in_ledger(gate)
    pass_through(gate)
    return {"passed": gate}


@task("Write into a table of its own", initial_input_form=gate_form)
def write_ledger() -> StepList:
    """One step that writes, one that follows."""
    return begin >> enter_and_wait >> numbered(1)


@step("Fail until the gate is open")
def fail_at_closed_gate(gate: str) -> State:
    """Its row must be there once, however often it fails."""
    visit(gate)
    enter_in_ledger(gate)
    if not is_open(gate):
        raise RuntimeError(f"the gate {gate} is closed")
    return {"passed": gate}


@task("Fail until the gate is open", initial_input_form=gate_form)
def fail_until_open() -> StepList:
    """The step that fails is in the middle."""
    return begin >> numbered(1) >> fail_at_closed_gate >> numbered(2)


@inputstep("Ask for the colour", assignee="NOC")
def colour_form() -> FormGenerator:
    """One page."""

    class ColourPage(SubmitFormPage):
        colour: Annotated[str, Field(pattern="^[a-z]+$")]

    page = yield ColourPage
    return page.model_dump()


@task("Ask for a colour")
def ask_for_colour() -> StepList:
    """An input step between two others."""
    return begin >> numbered(1) >> colour_form >> numbered(2)
