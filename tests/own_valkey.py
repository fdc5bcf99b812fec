"""A Valkey of a test's own, which it may stop or freeze."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.embedded.data_folder import DataFolder
from orchestrator.embedded.valkey import ValkeyServer


@contextmanager
def own_valkey(folder: Path) -> Iterator[ValkeyServer]:
    """A Valkey that is ready, with its data in this folder, until the end of this."""
    with DataFolder(folder) as data:
        server = ValkeyServer(data)
        try:
            server.begin()
            server.wait_until_ready()
            yield server
        finally:
            server.stop()
