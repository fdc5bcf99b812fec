"""A worker that has lost its connection while the server knows nothing of that yet: a cut network, a lost answer.

The old session lives on, with its lock, and with its transaction if there is one.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepRunner
from orchestrator.language.steps import done, init, step
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from tests.integration.engine.engine_on_test import EngineOnTest

CALLS: list[int] = []
# Long before the end of the attempts to get a lock that somebody else holds.
SOON = 3.0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


def cut_off(connection: WorkerConnection, stack: ExitStack) -> None:
    """Put a closed line in the place of a connection, whose own stays open until the end of the test."""
    number = connection.open().fileno()
    stack.callback(os.close, os.dup(number))
    here, there = socket.socketpair()
    os.dup2(here.fileno(), number)
    here.close()
    there.close()


def cut_off_in(action: Any) -> Workflow:
    """A workflow with this step."""

    @step("The step", key="the_step")
    def the_step() -> dict[str, Any]:
        CALLS.append(1)
        action()
        return {"calls": len(CALLS)}

    @workflow("Is cut off")
    def flow() -> Any:
        return init >> the_step >> done

    CALLS.clear()
    return flow


def test_a_result_in_hand_is_recorded_although_the_old_session_holds_the_lock(
    engine: EngineOnTest, stack: ExitStack
) -> None:
    connection = engine.connection()
    seq = engine.start(cut_off_in(lambda: cut_off(connection, stack)))
    runner = StepRunner(connection, engine.catalog, engine.limits)
    runner.run(seq)
    began = time.monotonic()
    assert runner.run(seq) is not None
    assert time.monotonic() - began < SOON
    assert (engine.process(seq).state, engine.process(seq).attempt) == ({"calls": 1}, 0)


def test_a_record_whose_commit_never_arrived_is_written_anew(
    engine: EngineOnTest, stack: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = engine.connection()
    seq = engine.start(cut_off_in(lambda: None))
    runner = StepRunner(connection, engine.catalog, engine.limits)
    runner.run(seq)
    commit = connection.commit

    def never_arrives() -> None:
        monkeypatch.setattr(connection, "commit", commit)
        cut_off(connection, stack)
        commit()

    monkeypatch.setattr(connection, "commit", never_arrives)
    began = time.monotonic()
    assert runner.run(seq) is not None
    assert time.monotonic() - began < SOON
    assert (engine.process(seq).state, CALLS) == ({"calls": 1}, [1])
    assert [row.key for row in engine.steps(seq)] == ["start", "the_step"]
