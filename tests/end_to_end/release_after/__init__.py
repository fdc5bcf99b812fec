"""The release after."""

from __future__ import annotations

from two_releases import AFTER, add_release

from orchestrator import Catalog


def register(catalog: Catalog) -> None:
    """With a step in the middle."""
    add_release(catalog, AFTER)
