"""Catalog packages that change from release to release."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from tests.integration.catalog.catalog_world import CatalogWorld


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, database_url: str) -> Iterator[CatalogWorld]:
    """An empty package, and a database that knows nothing of it."""
    package = tmp_path / f"network_{uuid4().hex[:8]}"
    package.mkdir()
    (package / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    made = CatalogWorld(package, database_url)
    yield made
    made.close()
