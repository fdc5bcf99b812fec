"""The workflows of the model: a line of steps, one that asks an outside system, one with children, and these; and one
without a step that writes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from sqlalchemy import text

from orchestrator.language.actions import Children
from orchestrator.language.callbacks import callback_step
from orchestrator.language.outcomes import Child
from orchestrator.language.step_list import Step
from orchestrator.language.steps import begin, step
from orchestrator.language.vocabulary import State
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import task
from orchestrator.storage.session import db
from tests.integration.engine.engine_on_test import LARGE
from tests.model.scene import Scene
from tests.model.workers import CURRENT, HeldWorker

STARTED = ("line", "asks", "family", "alone")
BRANCHES = ("left", "right")
# Steps that count themselves in the state, and those that write into the ledger.
COUNTED = frozenset({"writes", "plain", "more", "ask", "look"})
WRITTEN = frozenset({"writes"})
CHILDREN_KEY = "children"
# A state that has this does not fit into its row.
_LARGE = LARGE[:3_000]


def workflows_of(scene: Callable[[], Scene]) -> list[Workflow]:
    """The workflows, whose steps tell the present scene of each call."""

    def visit(process_id: UUID, key: str) -> None:
        """One call, held in its middle."""
        worker: HeldWorker = CURRENT.worker
        scene().enter(process_id, key, worker)
        try:
            worker.stop_at("function")
            if worker.gives_lock_away:
                db.session.execute(text("SELECT pg_advisory_unlock_all()"))
            if worker.fail:
                raise RuntimeError("as the model wants it")
        finally:
            scene().leave(process_id, worker)

    @step("Write", key="writes")
    def writes(process_id: UUID, counted: int = 0) -> State:
        values = {"process": str(process_id), "key": "writes"}
        db.session.execute(text("INSERT INTO ledger (process, step) VALUES (:process, :key)"), values)
        visit(process_id, "writes")
        return {"counted": counted + 1, "large": _LARGE}

    @step("Use no session", key="plain")
    def plain(process_id: UUID, counted: int = 0) -> State:
        visit(process_id, "plain")
        return {"counted": counted + 1}

    @step("Use no session again", key="more")
    def more(process_id: UUID, counted: int = 0) -> State:
        visit(process_id, "more")
        return {"counted": counted + 1}

    @step("Ask", key="ask")
    def ask(process_id: UUID, callback_route: str, counted: int = 0) -> State:
        scene().routes[process_id] = callback_route
        visit(process_id, "ask")
        return {"counted": counted + 1}

    @step("Look", key="look")
    def look(process_id: UUID, callback_result: State, counted: int = 0) -> State:
        visit(process_id, "look")
        return {"counted": counted + 1, "seen": callback_result["number"]}

    @task("A line")
    def line() -> Any:
        return begin >> writes >> plain

    @task("Asks an outside system")
    def asks() -> Any:
        return begin >> callback_step("order", ask, look)

    @task("One of the children")
    def branch() -> Any:
        return begin >> writes

    def children(_: State) -> list[Child]:
        return [Child(name, "branch") for name in BRANCHES]

    @task("Starts others")
    def family() -> Any:
        return begin >> Step("Branches", CHILDREN_KEY, Children(children)) >> plain

    @task("Writes nothing")
    def alone() -> Any:
        return begin >> plain >> more

    return [line, asks, branch, family, alone]
