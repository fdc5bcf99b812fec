"""Use cases over a real database and a real broker, without any code of workflows."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.bootstrap.context import build_context
from orchestrator.services.context import Context
from orchestrator.settings import Settings


@pytest.fixture
def context(database_url: str, broker_url: str) -> Iterator[Context]:
    context = build_context(Settings(database_url=database_url, broker_url=broker_url), "tests")
    yield context
    context.database.dispose()
