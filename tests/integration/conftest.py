"""A workflow that is deployed anew, on a real database; and a broker that a test may stop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.engine.connection import WorkerConnection
from orchestrator.storage.database import Database
from tests.integration.process_world import process_world
from tests.integration.releases import LIMITS, RAN, Releases, named
from tests.own_valkey import own_valkey


@pytest.fixture
def releases(database: Database, database_url: str) -> Iterator[Releases]:
    with process_world(database, database_url) as world:
        world.query(
            "INSERT INTO workflows (workflow_id, name, target) VALUES (gen_random_uuid(), 'changing', 'SYSTEM')"
        )
        made = Releases(world, WorkerConnection(database_url, "test"), replace(LIMITS, code_wait=0.0))
        made.deploy(named("a"), named("b"), named("c"), named("d"))
        RAN.clear()
        yield made
        made.worker.discard()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey of this test's own."""
    with own_valkey(tmp_path / "data") as server:
        yield server
