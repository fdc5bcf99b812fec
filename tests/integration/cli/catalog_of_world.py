"""The task of the tests' world, as a catalog that commands can load."""

from __future__ import annotations

from orchestrator.language.catalog import Catalog
from tests.integration.process_world import plain_task


def register(catalog: Catalog) -> None:
    """Register it."""
    catalog.add_workflow(plain_task)
