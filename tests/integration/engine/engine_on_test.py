"""A process of a workflow that lives in the test, on a real database, run by the real runner without a broker."""

from __future__ import annotations

import random
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic import SecretStr
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.engine.callbacks import CallbackSigner
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import Limits, StepReport, StepRunner
from orchestrator.language.catalog import Catalog
from orchestrator.language.workflow_definition import Workflow
from orchestrator.storage.database import Database
from orchestrator.storage.tables import (
    ProcessStartTable,
    ProcessStepTable,
    ProcessTable,
    WorkflowTable,
    WorkflowVersionTable,
)

# Letters in no order, so that they cannot be compressed to nothing.
LARGE = "".join(random.Random(5).choices("abcdefghijklmnopqrstuvwxyz", k=100_000))
SECRET_KEY = SecretStr("a key of the tests")
LIMITS = Limits(1_000_000, max_lost_attempts=3, code_wait=60.0, signer=CallbackSigner(SECRET_KEY))


@contextmanager
def _interrupts(handler: Any) -> Iterator[None]:
    before = signal.signal(signal.SIGINT, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def somebody_at_a_keyboard() -> Any:
    """As where a person started this, whatever started these tests: an interrupt ends what runs."""
    return _interrupts(signal.default_int_handler)


def nobody_at_a_keyboard() -> Any:
    """As in a worker child: interrupts are ignored."""
    return _interrupts(signal.SIG_IGN)


@dataclass
class EngineOnTest:
    """Starts processes by their rows and runs them step by step."""

    database: Database
    url: str
    catalog: Catalog = field(default_factory=Catalog)
    limits: Limits = LIMITS
    _connections: list[WorkerConnection] = field(default_factory=list)

    def runner(self, name: str = "test", limits: Limits | None = None) -> StepRunner:
        """A runner on a connection of its own, as a worker child has it."""
        return StepRunner(self.connection(name), self.catalog, limits or self.limits)

    def connection(self, name: str = "test") -> WorkerConnection:
        """A worker's connection, closed after the test."""
        made = WorkerConnection(self.url, name)
        self._connections.append(made)
        return made

    def start(self, workflow: Workflow, state: dict[str, Any] | None = None, *, deployed: bool = True) -> int:
        """Insert a process at its first step; returns its seq."""
        if deployed and workflow.name not in self.catalog.workflows:
            self.catalog.add_workflow(workflow)
        with Session(self.database.engine) as session, session.begin():
            row = session.scalar(select(WorkflowTable).where(WorkflowTable.name == workflow.name))
            if row is None:
                row = WorkflowTable(name=workflow.name, target=workflow.target, is_task=workflow.is_task)
                session.add(row)
            mine = select(WorkflowVersionTable).where(WorkflowVersionTable.workflow_name == workflow.name)
            version = session.scalar(mine.where(WorkflowVersionTable.hash == workflow.version))
            if version is None:
                version = WorkflowVersionTable(
                    workflow_name=workflow.name, hash=workflow.version, steps=workflow.pinned
                )
                session.add(version)
            session.flush()
            process = ProcessTable(
                workflow_id=row.workflow_id,
                version_id=version.version_id,
                target=row.target,
                is_task=row.is_task,
                step_key=workflow.steps[0].key,
                created_by="tester",
                state=state or {},
            )
            session.add(process)
            session.flush()
            beginning = ProcessStartTable(
                process_seq=process.seq,
                generation=1,
                version_id=version.version_id,
                position=0,
                step_key=process.step_key,
                cause="start",
                state=process.state,
                created_by=process.created_by,
            )
            session.add(beginning)
            return process.seq

    def run(self, seq: int, runner: StepRunner | None = None) -> list[StepReport]:
        """Follow the bells of a process until there is no next one."""
        runner = runner or self.runner()
        reports = []
        while (report := runner.run(seq, f"task-{len(reports)}")) is not None:
            reports.append(report)
            if report.ring is None:
                break
        return reports

    def process(self, seq: int) -> ProcessTable:
        """The row of a process as it is now."""
        with Session(self.database.engine, expire_on_commit=False) as session:
            return session.get_one(ProcessTable, seq)

    def steps(self, seq: int) -> list[ProcessStepTable]:
        """The step rows of a process, in their order."""
        with Session(self.database.engine, expire_on_commit=False) as session:
            statement = select(ProcessStepTable).where(ProcessStepTable.process_seq == seq)
            return list(session.scalars(statement.order_by(ProcessStepTable.step_id)))

    def change(self, seq: int, **values: Any) -> None:
        """Change the row of a process from outside."""
        with Session(self.database.engine) as session, session.begin():
            process = session.get_one(ProcessTable, seq)
            for name, value in values.items():
                setattr(process, name, value)

    def query(self, statement: str, **values: Any) -> list[tuple[Any, ...]]:
        """Rows of a statement, on a connection apart."""
        with self.database.engine.begin() as connection:
            result = connection.exec_driver_sql(statement, values)
            return [tuple(row) for row in result] if result.returns_rows else []

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections:
            connection.discard()
