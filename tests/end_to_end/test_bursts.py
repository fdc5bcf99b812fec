"""A worker that may go on with the steps of one process without a message for each."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestrator.bootstrap.context import build_context
from orchestrator.embedded.child_processes import children_of, spawn
from orchestrator.language.vocabulary import Actor
from orchestrator.services.context import Context
from orchestrator.services.processes import start_process
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from tests.end_to_end.running_system import REPOSITORY, Gate, wait_until
from tests.end_to_end.up_on_test import clean_environment

CATALOG = "catalog_on_test"
KEYS = ["start", *(f"step_{number}" for number in range(1, 11)), "done"]


@dataclass(frozen=True)
class Worker:
    """A worker with one child, and who starts processes for it."""

    pid: int
    url: str
    context: Context
    gates: Path

    def run(self, workflow: str, *pages: dict[str, Any]) -> str:
        return str(start_process(self.context, Actor("test"), workflow, list(pages)).process_id)

    def rows(self, statement: str, *values: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(statement, values).fetchall()  # type: ignore[arg-type]

    def wait(self, process_id: str, status: str) -> None:
        statement = "SELECT status, failed_reason FROM processes WHERE process_id = %s"
        wait_until(
            lambda: self.rows(statement, process_id)[0][0] == status, lambda: str(self.rows(statement, process_id))
        )

    def steps(self, process_id: str) -> list[tuple[str, str, str, str]]:
        """Key, status, task and transaction of each."""
        return self.rows(
            "SELECT s.key, s.status, s.task_id, s.xmin::text FROM process_steps s "
            "JOIN processes p ON p.seq = s.process_seq WHERE p.process_id = %s ORDER BY step_id",
            process_id,
        )


@pytest.fixture
def start_worker(catalog_database_url: str, broker_url: str, tmp_path: Path) -> Callable[[float], Any]:
    @contextmanager
    def start(burst_seconds: float) -> Iterator[Worker]:
        variables = {
            "ORCHESTRATOR_DATABASE_URL": catalog_database_url,
            "ORCHESTRATOR_BROKER_URL": broker_url,
            "ORCHESTRATOR_CATALOG": CATALOG,
            "ORCHESTRATOR_SECRET_KEY": "the key of these tests",
            "ORCHESTRATOR_WORKER_CONCURRENCY": "1",
            "ORCHESTRATOR_BURST_SECONDS": str(burst_seconds),
            "CATALOG_ON_TEST_FOLDER": str(tmp_path),
        }
        environment = clean_environment(PYTHONPATH=f"{REPOSITORY}:{Path(__file__).parent}", **variables)
        command = [sys.executable, "-m", "celery", "--app", "orchestrator.worker", "worker", "--loglevel", "INFO"]
        with (tmp_path / "worker.log").open("wb") as log:
            process = spawn(command, environment=environment, death_signal=signal.SIGKILL, stdout=log)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            context = build_context(Settings(), "test")
        try:
            yield Worker(process.pid, catalog_database_url, context, tmp_path)
        finally:
            process.terminate()
            process.wait(30)
            context.database.dispose()

    return start


def test_a_burst_commits_each_step_by_itself_and_leaves_out_the_messages(start_worker: Callable[[float], Any]) -> None:
    with start_worker(20) as worker:
        process_id = worker.run("ten_steps")
        worker.wait(process_id, "completed")
        steps = worker.steps(process_id)

    assert [key for key, *_ in steps] == KEYS
    assert len({task for _, _, task, _ in steps}) == 1
    assert len({transaction for *_, transaction in steps}) == len(KEYS)
    assert "12 steps in one burst: start to done" in (worker.gates / "worker.log").read_text()


@pytest.mark.slow
def test_without_bursts_each_step_has_a_message_of_its_own(start_worker: Callable[[float], Any]) -> None:
    with start_worker(0) as worker:
        process_id = worker.run("ten_steps")
        worker.wait(process_id, "completed")
        steps = worker.steps(process_id)

    assert len({task for _, _, task, _ in steps}) == len(steps) == len(KEYS)


@pytest.mark.slow
def test_a_child_killed_in_a_burst_goes_on_at_the_step_it_died_in(start_worker: Callable[[float], Any]) -> None:
    with start_worker(20) as worker:
        gate = Gate(worker.gates, "burst")
        process_id = worker.run("write_ledger", {"gate": gate.name})
        (victim,) = gate.wait_for_visits(1)
        assert victim in children_of(worker.pid)

        os.kill(victim, signal.SIGKILL)
        gate.wait_for_visits(2)
        gate.open()
        worker.wait(process_id, "completed")
        steps = worker.steps(process_id)

        assert [key for key, *_ in steps] == ["start", "enter_and_wait", "step_1", "done"]
        assert worker.rows("SELECT entry FROM ledger") == [("burst",)]


def by_a_signal(worker: Worker) -> None:
    os.kill(worker.pid, signal.SIGTERM)


def from_afar(worker: Worker) -> None:
    """As Flower does it."""
    build_application(worker.context.settings).control.shutdown()


@pytest.mark.slow
@pytest.mark.parametrize("tell", [by_a_signal, from_afar])
def test_a_worker_that_is_told_to_stop_in_a_burst_begins_no_further_step(
    start_worker: Callable[[float], Any], tell: Callable[[Worker], None]
) -> None:
    with start_worker(20) as worker:
        gate = Gate(worker.gates, "burst")
        process_id = worker.run("write_ledger", {"gate": gate.name})
        gate.wait_for_visits(1)
        statement = "SELECT status, claim IS NULL, attempt FROM processes WHERE process_id = %s"
        assert worker.rows(statement, process_id) == [("running", False, 1)]
        tell(worker)
        # The attempt is not counted once it is told.
        wait_until(lambda: worker.rows(statement, process_id)[0][2] == 0, lambda: "it was not told to stop")
        gate.open()
        wait_until(lambda: children_of(worker.pid) == [], lambda: str(children_of(worker.pid)))
        assert [key for key, *_ in worker.steps(process_id)] == ["start", "enter_and_wait"]
        assert worker.rows(statement, process_id) == [("running", True, 0)]

    with start_worker(20) as worker:
        worker.wait(process_id, "completed")


@pytest.mark.slow
def test_a_time_limit_holds_for_each_step_of_a_burst(start_worker: Callable[[float], Any]) -> None:
    with start_worker(20) as worker:
        process_id = worker.run("takes_too_long")
        worker.wait(process_id, "failed")
        steps = worker.steps(process_id)

        assert steps[-1][:2] == ("take_too_long", "failed")
        assert len({task for _, _, task, _ in steps}) == 1
        assert "did not end within its time limit of 0.5 seconds" in str(
            worker.rows("SELECT failed_reason FROM processes WHERE process_id = %s", process_id)
        )
        assert worker.run("ten_steps")
