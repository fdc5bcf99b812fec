"""The dispatcher of the workbench: bells lie in a list, and the engine's own runner follows them one by one."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, LiteralString

from orchestrator.engine.bell import Ring
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.forgotten import one_queue
from orchestrator.engine.runner import Limits, StepReport, StepRunner
from orchestrator.engine.sweep import Sweep
from orchestrator.language.actions import Call
from orchestrator.language.catalog import Catalog
from orchestrator.language.step_list import Step


class ListBell:
    """Keeps what was rung until the dispatcher takes it."""

    def __init__(self) -> None:
        self.rings: deque[Ring] = deque()

    def ring(self, rings: Sequence[Ring]) -> int:
        """Keep them."""
        self.rings.extend(rings)
        return len(rings)

    def queued(self) -> dict[str, int]:
        """How many nobody has followed yet, in the one queue that there is."""
        return {one_queue("", False): len(self.rings)}


class WorkerDied(KeyboardInterrupt):
    """Ends a worker before its record. The engine lets nothing but an interrupt from the keyboard through, and leaves
    the database as it is then: the claim is there, the lock is gone with the connection."""


class _DyingConnection(WorkerConnection):
    """The connection of a worker that is gone before it has recorded anything."""

    def commit(self) -> None:
        """Die."""
        raise WorkerDied

    def row_alone(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:  # noqa: ARG002
        """Die."""
        raise WorkerDied


class Dispatcher:
    """Stands for the workers and the clock. All of it happens in the thread that calls it."""

    def __init__(self, database_url: str, catalog: Catalog, limits: Limits, bell: ListBell) -> None:
        self._url = database_url
        self._catalog = catalog
        self._limits = limits
        self._bell = bell
        self._worker = WorkerConnection(database_url, "workbench")
        self._runner = StepRunner(self._worker, catalog, limits)
        self._sweep = Sweep(database_url)
        self._errors: dict[str, list[Exception]] = {}
        self._deaths: list[str] = []

    def fail(self, step_key: str, error: Exception) -> None:
        """Let the next run of a step raise this instead of doing its work."""
        self._errors.setdefault(step_key, []).append(error)

    def lose_worker(self, step_key: str) -> None:
        """Let the worker of the next run of a step die after the work and before the record."""
        self._deaths.append(step_key)

    def run(self) -> None:
        """Follow all bells, and those that are rung meanwhile, until none is left."""
        while self._bell.rings:
            report = self._follow(self._bell.rings.popleft())
            if report is not None and report.ring is not None:
                self._bell.ring([report.ring])

    def sweep(self) -> None:
        """One look of the sweep: wake what came due, and ring for what nobody will ring for."""
        self._bell.ring(self._sweep.find(self._bell.queued))

    def close(self) -> None:
        """Give up the connections."""
        self._worker.discard()
        self._sweep.close()

    def _follow(self, ring: Ring) -> StepReport | None:
        if errors := self._errors.get(ring.step_key):
            faulty = _with_fault(self._catalog, ring, errors.pop(0))
            return StepRunner(self._worker, faulty, self._limits).run(ring.seq)
        if ring.step_key in self._deaths:
            self._deaths.remove(ring.step_key)
            self._follow_and_die(ring)
            return None
        return self._runner.run(ring.seq)

    def _follow_and_die(self, ring: Ring) -> None:
        runner = StepRunner(_DyingConnection(self._url, "lost worker"), self._catalog, self._limits)
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            runner.run(ring.seq)
        except WorkerDied:
            pass
        finally:
            signal.signal(signal.SIGINT, handler)


def _with_fault(catalog: Catalog, ring: Ring, error: Exception) -> Catalog:
    """The same catalog, but for a step that raises."""

    def fail() -> None:
        raise error

    def change(step: Step) -> Step:
        return replace(step, action=Call(fail)) if step.key == ring.step_key else step

    made = Catalog()
    workflow = catalog.workflow(ring.workflow)
    made.add_workflow(replace(workflow, steps=tuple(map(change, workflow.steps))))
    return made
