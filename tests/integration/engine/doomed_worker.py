"""A worker in a process of its own that ends by SIGKILL at one point of a step: `python -m ... URL SEQ POINT`.

A process of its own, not a fork of the tests: a fork takes along locks that other threads of the tests hold.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, LiteralString

from sqlalchemy import text

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepRunner
from orchestrator.language.catalog import Catalog
from orchestrator.language.step_list import StepList
from orchestrator.language.steps import done, init, step
from orchestrator.language.workflows import workflow
from orchestrator.storage.session import db
from orchestrator.storage.step_statements import CLAIM, RECORD, RECORD_ALONE, RECORD_END_ALONE, UNLOCK
from tests.integration.engine.engine_on_test import LIMITS

_BEFORE: dict[str, LiteralString] = {
    "before it claims": CLAIM,
    "before its record": RECORD,
    "before it unlocks": UNLOCK,
}
_AFTER: dict[str, LiteralString] = {
    "after its claim": CLAIM,
    "after its record": RECORD,
    "between unlock and commit": UNLOCK,
}
POINTS = [*_BEFORE, *_AFTER, "in its function", "after its commit"]
# Of a step that does not use the session: its record is one statement.
POINTS_ALONE = ["before its record", "in its function", "after its record"]
HANGS = "hangs in its function"
_ROOT = Path(__file__).parents[3]

# What this process is to do in the function; nothing in the process of the tests.
_in_function: list[str] = []


@step("Writes")
def writes() -> dict[str, Any]:
    db.session.execute(text("INSERT INTO ledger VALUES ('effect')"))
    if "in its function" in _in_function:
        _kill_oneself()
    if HANGS in _in_function:
        sys.stdout.write("claimed\n")
        sys.stdout.flush()
        time.sleep(60)
    return {"written": True}


@step("Returns")
def returns() -> dict[str, Any]:
    if "in its function" in _in_function:
        _kill_oneself()
    return {"returned": True}


@workflow("Writes once")
def writes_once() -> StepList:
    return init >> writes >> done


@workflow("Returns once")
def returns_once() -> StepList:
    return init >> returns >> done


class DoomedConnection(WorkerConnection):
    """A worker's connection that kills its process at one point."""

    def __init__(self, url: str, point: str) -> None:
        super().__init__(url, "doomed")
        self._point = point

    def row(self, statement: LiteralString, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        if _BEFORE.get(self._point) == statement:
            _kill_oneself()
        row = super().row(statement, values)
        if _AFTER.get(self._point) == statement:
            _kill_oneself()
        return row

    def row_alone(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        assert statement in {RECORD_ALONE, RECORD_END_ALONE}
        if self._point == "before its record":
            _kill_oneself()
        row = super().row_alone(statement, values)
        if self._point == "after its record":
            _kill_oneself()
        return row

    def commit(self) -> None:
        super().commit()
        if self._point == "after its commit":
            _kill_oneself()


def start_doomed_worker(url: str, seq: int, point: str) -> subprocess.Popen[str]:
    """Let a process of its own run the next step of this process and die at this point."""
    command = [sys.executable, "-m", "tests.integration.engine.doomed_worker", url, str(seq), point]
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)


def _kill_oneself() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _main(url: str, seq: str, point: str) -> None:
    _in_function.append(point)
    catalog = Catalog()
    catalog.add_workflow(writes_once)
    catalog.add_workflow(returns_once)
    StepRunner(DoomedConnection(url, point), catalog, LIMITS).run(int(seq))


if __name__ == "__main__":
    _main(*sys.argv[1:])
