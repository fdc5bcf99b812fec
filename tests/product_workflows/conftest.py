"""What the tests of the examples share: the catalog, and a lab that stands for the systems outside."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from orchestrator.testing import Workbench
from product_workflows.lab.server import running_lab
from tests.product_workflows.network import Network


@pytest.fixture(scope="session")
def orchestrator_catalog() -> str:
    """The package under test."""
    return "product_workflows"


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A client of a new lab, which the workflows use, too."""
    # It speaks plain HTTP: without the certificates, which take longer to load than a test takes.
    with running_lab() as address, httpx.Client(base_url=address, timeout=5, verify=False) as client:
        monkeypatch.setenv("LAB_URL", address)
        yield client


@pytest.fixture
def network(workbench: Workbench, lab: httpx.Client) -> Network:
    """Nodes, ports and circuits to be made."""
    return Network(workbench, lab)
