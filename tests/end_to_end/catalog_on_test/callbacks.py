"""A task that waits for an outside system, which the test plays."""

from __future__ import annotations

import httpx

from catalog_on_test.gates import folder, visit
from orchestrator import FormGenerator, State, StepList, SubmitFormPage, begin, callback_step, step, task


class OutsidePage(SubmitFormPage):
    """Where the outside system is (without one the route is left in a file), and the gate that counts its visits."""

    outside: str = ""
    gate: str


def outside_form() -> FormGenerator:
    """One page."""
    page = yield OutsidePage
    return page.model_dump()


@step("Ask the outside system")
def ask_outside(outside: str, gate: str, callback_route: str, idempotency_key: str) -> None:
    """Hand it the route."""
    visit(gate)
    if not outside:
        (folder() / f"{gate}.route").write_text(callback_route)
        return
    order = {"callback": callback_route, "key": idempotency_key}
    httpx.post(outside, json=order, timeout=30).raise_for_status()


@step("Look at its answer")
def look_at_answer(callback_result: State) -> State:
    """Keep what the test looks at."""
    return {"built": callback_result["built"]}


@task("Order something outside", initial_input_form=outside_form)
def order_outside() -> StepList:
    """One callback."""
    return begin >> callback_step("Order", ask_outside, look_at_answer, timeout=600)
