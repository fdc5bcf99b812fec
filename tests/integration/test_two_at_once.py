"""Two workflows that change one subscription, started at the same moment: exactly one takes it, every time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from uuid import UUID

import pytest

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepRunner
from orchestrator.errors import FormInvalidError
from orchestrator.services.processes import abort_process, start_process
from orchestrator.storage.database import Database
from tests.integration.engine.engine_on_test import LIMITS
from tests.integration.process_world import OPERATOR, World, process_world

TIMES = 50


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.mark.slow
def test_of_two_modifies_at_the_same_moment_exactly_one_takes_the_subscription(world: World, database_url: str) -> None:
    port = world.subscription()
    connections = [WorkerConnection(database_url, f"worker-{number}") for number in range(2)]
    runners = [StepRunner(connection, world.context.catalog, LIMITS) for connection in connections]
    barrier = threading.Barrier(2)
    both_started = 0
    failures: list[BaseException] = []

    def change(runner: StepRunner, started: list[UUID]) -> None:
        try:
            barrier.wait(30)
            process_id = start_process(
                world.context, OPERATOR, "modify_port", [{"subscription_id": str(port)}]
            ).process_id
            started.append(process_id)
            ((seq,),) = world.query("SELECT seq FROM processes WHERE process_id = :id", id=process_id)
            while (report := runner.run(seq)) is not None and report.ring is not None:
                pass
        except FormInvalidError:
            pass  # the other one had taken it already
        except BaseException as error:
            failures.append(error)
            raise

    for _ in range(TIMES):
        started: list[UUID] = []
        threads = [threading.Thread(target=change, args=(runner, started)) for runner in runners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        both_started += len(started) == 2
        of_these = "SELECT status, process_id FROM processes WHERE process_id = ANY(:ids) ORDER BY status DESC"
        (won, winner), *lost = world.query(of_these, ids=started)
        assert (won, [status for status, _ in lost]) == ("suspended", ["failed"] * (len(started) - 1))
        ((insync, held_by),) = world.query("SELECT insync, held_by FROM subscriptions")
        assert (insync, held_by) == (False, winner)
        abort_process(world.context, OPERATOR, winner, release_subscription=True)
    for connection in connections:
        connection.discard()
    assert both_started > 0, "they never met"
