"""The pytest plugin: an option and three fixtures. Nothing of the orchestrator is loaded before a test asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pkgutil import resolve_name
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from orchestrator.testing.servers import BenchServer
    from orchestrator.testing.workbench import Workbench


def pytest_addoption(parser: pytest.Parser) -> None:
    """`orchestrator_catalog` in pytest's configuration file."""
    told = "packages with register(catalog) that the workbench tests, with commas between them (ORCHESTRATOR_CATALOG)"
    parser.addini("orchestrator_catalog", told, default="")


@pytest.fixture(scope="session")
def orchestrator_catalog(pytestconfig: pytest.Config) -> str:
    """The names of the packages under test: `orchestrator_catalog` of the configuration file, or ORCHESTRATOR_CATALOG.

    Override it in a conftest.py to test other packages below there.
    """
    catalog: str = pytestconfig.getini("orchestrator_catalog")
    return catalog or str(resolve_name("orchestrator.settings:read_settings")().catalog)


@pytest.fixture(scope="session")
def orchestrator_server() -> Iterator[BenchServer]:
    """The PostgreSQL of this run: one of its own, or the server that ORCHESTRATOR_TEST_DATABASE_URL names."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(resolve_name("orchestrator.testing.servers:bench_server")())
        except resolve_name("orchestrator.errors:SettingsError") as error:
            pytest.fail(f"no PostgreSQL for the tests: {error}", pytrace=False)
        yield server


@pytest.fixture
def workbench(orchestrator_server: BenchServer, orchestrator_catalog: str) -> Iterator[Workbench]:
    """Runs workflows of the packages under test on a database of this test's own."""
    open_workbench = resolve_name("orchestrator.testing.workbench:open_workbench")
    with open_workbench(orchestrator_server, orchestrator_catalog) as made:
        yield made
