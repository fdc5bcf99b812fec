"""The workbench on a catalog of its own tests."""

from __future__ import annotations

import pytest

from tests.integration.workbench.catalog_on_bench import NEEDED, ROUTES, TRIES


@pytest.fixture(scope="session")
def orchestrator_catalog() -> str:
    """The packages under test in this folder."""
    return "tests.integration.workbench.catalog_on_bench"


@pytest.fixture(autouse=True)
def nothing_remembered() -> None:
    """What the steps of the catalog remember begins anew with each test."""
    for remembered in (ROUTES, TRIES, NEEDED):
        remembered.clear()
