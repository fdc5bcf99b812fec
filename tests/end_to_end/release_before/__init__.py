"""The release before."""

from __future__ import annotations

from two_releases import BEFORE, add_release

from orchestrator import Catalog


def register(catalog: Catalog) -> None:
    """Without the step that comes later."""
    add_release(catalog, BEFORE)
