"""One running system for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from orchestrator.testing.servers import BenchServer
from tests.end_to_end.running_system import RunningSystem, running_system


@pytest.fixture(scope="session")
def system() -> Iterator[RunningSystem]:
    """Everything that the Procfiles name, as real processes in a folder of their own."""
    with running_system() as running:
        yield running


@pytest.fixture
def catalog_database_url(
    orchestrator_server: BenchServer, new_database: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> str:
    """A database of this test's own with the catalog on test."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return new_database(template=orchestrator_server.template("catalog_on_test"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the processes said."""
    report = yield
    running = getattr(item, "funcargs", {}).get("system")
    if report.failed and isinstance(running, RunningSystem):
        report.sections.append(("Log of the running system", running.last_words()))
    return report
