"""What every use case is handed: the database, the catalog, the bell and a few limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from orchestrator.language.catalog import Catalog
from orchestrator.settings import Settings
from orchestrator.storage.database import Database


@dataclass(frozen=True)
class Ring:
    """One message to send: look at this process. The names are what Flower shows, nothing more."""

    seq: int
    process_id: str
    workflow: str
    step_key: str
    queue: str


class Bell(Protocol):
    """Sends bells to the workers."""

    def ring(self, rings: Sequence[Ring]) -> int:
        """Send each ring once; returns how many were sent. Never raises and never blocks for long: a bell that
        could not be sent is logged and left to the recovery sweep."""
        ...


@dataclass(frozen=True)
class Context:
    """Built once by bootstrap for each process of the operating system."""

    database: Database
    catalog: Catalog
    bell: Bell
    settings: Settings
