"""A model that a step returns, whose save was lost with the connection: it takes itself for stored, and is not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.engine.connection import WorkerConnection
from orchestrator.language.steps import begin, step
from orchestrator.language.vocabulary import State
from orchestrator.language.workflows import task
from orchestrator.storage.database import Database
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.process_world import Port, World, process_world

# What these states start with comes from no form, so that nothing seems to supply it.
pytestmark = pytest.mark.filterwarnings("ignore::orchestrator.language.supply.UnsuppliedParameterWarning")


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.fixture
def engine(world: World, database_url: str) -> Iterator[EngineOnTest]:
    made = EngineOnTest(world.context.database, database_url, world.context.catalog)
    yield made
    made.close()


@step("Rename", key="rename")
def rename(subscription: Port) -> State:
    subscription.description = "renamed"
    return {"subscription": subscription}


def test_a_model_is_saved_although_the_commit_of_its_first_save_was_lost(
    world: World, engine: EngineOnTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    @task("Renames a port")
    def renames() -> Any:
        return begin >> rename

    subscription_id = str(world.subscription())
    seq = engine.start(renames, {"subscription_id": subscription_id, "subscription": subscription_id})
    runner, commit, commits = engine.runner(), WorkerConnection.commit, []

    def lose_the_first(self: WorkerConnection) -> None:
        commits.append(self.name)
        if len(commits) == 1:
            engine.query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %(name)s",
                name=self.name,
            )
        commit(self)

    monkeypatch.setattr(WorkerConnection, "commit", lose_the_first)
    engine.run(seq, runner)
    assert [row.key for row in engine.steps(seq)] == ["start"]
    assert engine.query("SELECT description FROM subscriptions") == [("A port",)]
    engine.run(seq, runner)

    assert engine.process(seq).failed_reason is None
    assert [row.key for row in engine.steps(seq)] == ["start", "rename", "done"]
    assert engine.query("SELECT description FROM subscriptions") == [("renamed",)]
