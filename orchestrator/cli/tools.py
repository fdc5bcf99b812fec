"""What the commands are handed by the floor above: things that only bootstrap can build."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.language.catalog import Catalog
from orchestrator.services.context import Context
from orchestrator.settings import Settings


@dataclass(frozen=True)
class Tools:
    """Builders, each called by the commands that need it.

    Attributes:
        build_context: what use cases need, for the settings and the name that PostgreSQL shows.
        load_catalog: import the packages of the catalog; raises SettingsError naming the one that is wrong.
        check_broker: connect as workers do; raises SettingsError or UnavailableError when it cannot be used.
        ping_workers: the names of the workers that answer within so many seconds.
    """

    build_context: Callable[[Settings, str], Context]
    load_catalog: Callable[[Settings], Catalog]
    check_broker: Callable[[Settings], None]
    ping_workers: Callable[[Settings, float], Sequence[str]]


LoadTools = Callable[[], Tools]
"""What commands find in `ctx.obj`: loading the tools takes a while, so only those that need them call it."""
