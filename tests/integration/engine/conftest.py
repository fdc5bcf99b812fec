"""The engine on a real database, without a broker."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from orchestrator.storage.database import Database
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.engine.outside_system import Outside
from tests.integration.told_states import check_states


@pytest.fixture
def engine(database: Database, database_url: str) -> Iterator[EngineOnTest]:
    made = EngineOnTest(database, database_url)
    made.query("CREATE TABLE ledger (entry text NOT NULL)")
    yield made
    made.close()
    check_states(database)


@pytest.fixture
def ledger(engine: EngineOnTest) -> Callable[[], list[str]]:
    """What steps have written into the table `ledger`."""
    return lambda: [row[0] for row in engine.query("SELECT entry FROM ledger ORDER BY ctid")]


@pytest.fixture
def outside(engine: EngineOnTest) -> Outside:
    return Outside(engine)
