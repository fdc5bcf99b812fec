"""A task and a workflow on ports of the tests' world, as a catalog that commands can load."""

from __future__ import annotations

from orchestrator.language.catalog import Catalog
from tests.integration.process_world import Port, modify_port, plain_task


def register(catalog: Catalog) -> None:
    """Register them."""
    catalog.add_product("Port", Port)
    catalog.add_workflow(plain_task)
    catalog.add_workflow(modify_port)
