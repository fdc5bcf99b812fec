"""Several workers at once, each bell copied to all of them: with old and new code, and while the engine is switched."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import Limits, StepRunner
from orchestrator.language.catalog import Catalog
from orchestrator.language.step_list import Step
from orchestrator.language.steps import begin, step
from orchestrator.language.vocabulary import State, UUIDstr
from orchestrator.language.workflows import workflow
from orchestrator.services.engine import set_engine_lock
from orchestrator.services.processes import start_process
from orchestrator.storage.database import Database
from orchestrator.storage.session import db
from orchestrator.storage.tables import AuditTable
from tests.integration.process_world import OPERATOR, World, process_world

PROCESSES = 12
KEYS = ("one", "two", "three", "four")
PATIENCE = 60.0


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        made.query("INSERT INTO workflows (workflow_id, name, target) VALUES (gen_random_uuid(), 'writing', 'SYSTEM')")
        yield made


def writes(key: str) -> Step:
    """A step that writes a row that nothing makes unique."""

    @step(key.title(), key=key)
    def write(process_id: UUIDstr) -> State:
        db.session.add(AuditTable(actor="step", action=key, object_type="ledger", object_id=process_id))
        return {}

    return write


def code(keys: Sequence[str]) -> Catalog:
    """A release that has these steps."""

    @workflow("Writes a row in each step")
    def writing() -> Any:
        listed = begin
        for key in keys:
            listed = listed >> writes(key)
        return listed

    catalog = Catalog()
    catalog.add_workflow(writing)
    return catalog


def run_until(url: str, catalogs: Sequence[Catalog], seqs: Callable[[], list[int]]) -> list[BaseException]:
    """A worker for each catalog, all of them rung for all processes again and again until none is left."""
    failures: list[BaseException] = []
    deadline = time.monotonic() + PATIENCE

    def work(catalog: Catalog) -> None:
        connection = WorkerConnection(url, "test")
        runner = StepRunner(connection, catalog, Limits(max_delta_bytes=1_000_000, max_lost_attempts=3, code_wait=60.0))
        try:
            while (found := seqs()) and time.monotonic() < deadline:
                for seq in found:
                    runner.run(seq)
        except BaseException as error:
            failures.append(error)
            raise
        finally:
            connection.discard()

    threads = [threading.Thread(target=work, args=(catalog,)) for catalog in catalogs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return failures


def unfinished(world: World) -> Callable[[], list[int]]:
    statement = "SELECT seq FROM processes WHERE status IN ('created', 'running', 'resumed') ORDER BY random()"
    return lambda: [seq for (seq,) in world.query(statement)]


def ledger(world: World) -> Counter[tuple[str, str]]:
    """How often each step of each process has written."""
    return Counter(world.query("SELECT object_id, action FROM audit WHERE object_type = 'ledger'"))


def test_old_and_new_code_side_by_side_fail_nothing_and_skip_nothing(world: World, database_url: str) -> None:
    old, new = code(KEYS), code(("one", "two", "inserted", "three", "four"))
    started = {
        str(start_process(replace(world.context, catalog=catalog), OPERATOR, "writing").process_id): catalog
        for catalog in (old, new) * PROCESSES
    }

    assert run_until(database_url, [old, new, old, new], unfinished(world)) == []

    assert world.query("SELECT DISTINCT status FROM processes") == [("completed",)]
    expected = [(process_id, key) for process_id, of in started.items() for key in of.workflow("writing").keys]
    assert ledger(world) == Counter(expected)
    for process_id, catalog in started.items():
        recorded = world.query(
            "SELECT key FROM process_steps s JOIN processes p ON p.seq = s.process_seq WHERE p.process_id = :id "
            "ORDER BY step_id",
            id=process_id,
        )
        assert tuple(key for (key,) in recorded) == catalog.workflow("writing").keys


def test_pauses_within_a_second_lose_and_repeat_no_step(world: World, database_url: str) -> None:
    catalog = code(KEYS)
    context = replace(world.context, catalog=catalog)
    started = [str(start_process(context, OPERATOR, "writing").process_id) for _ in range(PROCESSES)]
    stop = threading.Event()
    switches = 0

    def switch() -> None:
        nonlocal switches
        while not stop.is_set():
            set_engine_lock(context, OPERATOR, True)
            set_engine_lock(context, OPERATOR, False)
            switches += 1

    switching = threading.Thread(target=switch)
    switching.start()
    try:
        assert run_until(database_url, [catalog] * 4, unfinished(world)) == []
    finally:
        stop.set()
        switching.join()

    assert switches >= 2
    assert world.query("SELECT DISTINCT status FROM processes") == [("completed",)]
    assert ledger(world) == Counter((process_id, key) for process_id in started for key in KEYS)
