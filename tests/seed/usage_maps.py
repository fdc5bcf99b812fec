"""The maps of usage rules, for as long as a test of the document needs them to itself."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy

from orchestrator.services.subscriptions import (
    WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS,
    WF_USABLE_MAP,
    WF_USABLE_WHILE_OUT_OF_SYNC,
)


@contextmanager
def empty_usage_maps() -> Iterator[None]:
    """Empty maps, put back as they were afterwards, since the document changes them at import."""
    maps = (WF_USABLE_MAP, WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS)
    before, listed = deepcopy(maps), list(WF_USABLE_WHILE_OUT_OF_SYNC)
    for changed in maps:
        changed.clear()
    try:
        yield
    finally:
        for changed, kept in zip(maps, before, strict=True):
            changed.clear()
            changed.update(kept)
        WF_USABLE_WHILE_OUT_OF_SYNC[:] = listed
        sys.modules.pop("tests.seed.usage", None)
