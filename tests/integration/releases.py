"""A workflow that is deployed again and again with another list of steps, while processes of it are under way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import Limits, StepRunner
from orchestrator.language.catalog import Catalog
from orchestrator.language.step_list import Step
from orchestrator.language.steps import begin, step
from orchestrator.language.vocabulary import REMOVED, State
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.services.context import Context
from orchestrator.services.process_views import ProcessDetail, process_detail
from orchestrator.services.processes import start_process
from tests.integration.process_world import FAULTS, OPERATOR, World

RAN: list[tuple[str, str]] = []
LIMITS = Limits(max_delta_bytes=1_000_000, max_lost_attempts=3, code_wait=60.0)


def named(key: str, name: str | None = None) -> Step:
    """A step that notes that it ran, and fails when it is told to."""

    @step(name or key.title(), key=key)
    def note(state: State, idempotency_key: str) -> State:
        if key in FAULTS:
            FAULTS.remove(key)
            raise RuntimeError(f"{key} fails")
        RAN.append((key, idempotency_key.rpartition(":")[2]))
        if key == "c":
            return {"c": 1, "a": REMOVED}
        return {key: state.get(key, 0) + 1}

    return note


def version(*steps: Step) -> Workflow:
    """A version of the one workflow that these tests deploy."""

    @workflow("Changes from release to release")
    def changing() -> Any:
        listed = begin
        for one in steps:
            listed = listed >> one
        return listed

    return changing


@dataclass
class Releases:
    """A workflow that is deployed again and again, and a worker that always has the code of today."""

    world: World
    worker: WorkerConnection
    limits: Limits
    catalog: Catalog = field(default_factory=Catalog)

    def deploy(self, *steps: Step) -> None:
        """Make these the steps that API and worker have the code of."""
        self.catalog = Catalog()
        self.catalog.add_workflow(version(*steps))

    @property
    def context(self) -> Context:
        return replace(self.world.context, catalog=self.catalog)

    def start(self) -> UUID:
        """Start and run until it stops."""
        process_id = start_process(self.context, OPERATOR, "changing").process_id
        self.run()
        return process_id

    def run(self) -> None:
        runner = StepRunner(self.worker, self.catalog, self.limits)
        while self.world.bell.rings:
            report = runner.run(self.world.bell.rings.pop(0).seq)
            if report is not None:
                self.world.bell.rings += report.rings

    def detail(self, process_id: UUID) -> ProcessDetail:
        return process_detail(self.context, process_id)

    def status(self, process_id: UUID) -> str:
        return self.detail(process_id).process.last_status


def failed_at(releases: Releases, key: str) -> UUID:
    FAULTS.append(key)
    process_id = releases.start()
    assert releases.detail(process_id).process.last_status == "failed"
    return process_id


def audited(releases: Releases, action: str) -> list[tuple[Any, ...]]:
    return releases.world.query(
        "SELECT actor, reason, request_id, before, after FROM audit WHERE action = :action", action=action
    )


def own(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if len(key) == 1}
