"""A worker that is killed with SIGKILL at every point of a step: whoever comes next finishes it, its effects once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import Any, LiteralString

import pytest
from sqlalchemy import text

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepRunner
from orchestrator.engine.sweep import Sweep
from orchestrator.language.steps import done, init, step
from orchestrator.language.workflows import workflow
from orchestrator.storage.session import db
from orchestrator.storage.step_statements import CLAIM, CLEAR_LOCKS, RECORD, UNLOCK
from tests.integration.engine.engine_on_test import EngineOnTest

Ledger = Callable[[], list[str]]

_BEFORE: dict[str, LiteralString] = {
    "before it claims": CLAIM,
    "before its record": RECORD,
    "before it unlocks": UNLOCK,
}
_AFTER: dict[str, LiteralString] = {
    "after it cleared locks": CLEAR_LOCKS,
    "after its claim": CLAIM,
    "after its record": RECORD,
    "between unlock and commit": UNLOCK,
}
POINTS = [*_BEFORE, *_AFTER, "in its function", "after its commit"]


def kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DoomedConnection(WorkerConnection):
    """A worker's connection that kills its process at one point."""

    def __init__(self, url: str, point: str) -> None:
        super().__init__(url, "doomed")
        self._point = point

    def row(self, statement: LiteralString, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        if _BEFORE.get(self._point) == statement:
            kill_oneself()
        row = super().row(statement, values)
        if _AFTER.get(self._point) == statement:
            kill_oneself()
        return row

    def commit(self) -> None:
        super().commit()
        if self._point == "after its commit":
            kill_oneself()


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_leaves_a_step_that_is_finished_once(
    engine: EngineOnTest, ledger: Ledger, point: str
) -> None:
    doomed_process = multiprocessing.get_context("fork")
    first = os.getpid()

    @step("Writes")
    def writes() -> dict[str, Any]:
        db.session.execute(text("INSERT INTO ledger VALUES ('effect')"))
        if point == "in its function" and os.getpid() != first:
            kill_oneself()
        return {"written": True}

    @workflow("Writes once")
    def writes_once() -> Any:
        return init >> writes >> done

    seq = engine.start(writes_once)
    engine.runner().run(seq)
    killed = doomed_process.Process(
        target=lambda: StepRunner(DoomedConnection(engine.url, point), engine.catalog, engine.limits).run(seq)
    )
    killed.start()
    killed.join(30)
    assert killed.exitcode == -signal.SIGKILL
    assert ledger() == (["effect"] if point == "after its commit" else [])

    # Its bell is lost with it: only the sweep is left to ring.
    engine.query("UPDATE processes SET rung_at = rung_at - interval '1 hour'")
    sweep, runner, deadline = Sweep(engine.url), engine.runner("heir"), time.monotonic() + 20
    while engine.process(seq).status != "completed" and time.monotonic() < deadline:
        for ring in sweep.find(lambda: 0):
            engine.run(ring.seq, runner)
    sweep.close()
    process = engine.process(seq)
    assert (process.status, process.state, process.failed_reason) == ("completed", {"written": True}, None)
    assert ledger() == ["effect"]
    assert [row.key for row in engine.steps(seq)] == ["start", "writes", "done"]
