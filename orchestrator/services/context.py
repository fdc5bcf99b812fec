"""What every use case is handed: the database, the catalog, the bell and a few limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.engine.bell import Bell
from orchestrator.errors import NoContextError
from orchestrator.language.catalog import Catalog
from orchestrator.settings import Settings
from orchestrator.storage.database import Database
from orchestrator.storage.start_statements import WorkflowRow


@dataclass(frozen=True)
class Context:
    """Built once by bootstrap for each process of the operating system."""

    database: Database
    catalog: Catalog
    bell: Bell
    settings: Settings
    # Asks the broker for a sign of life, within a second; raises UnavailableError when there is none.
    broker_ping: Callable[[], None] | None = None
    # Rows of workflows that were started here, by name. Who uses one has the database look whether it still holds.
    workflows_seen: dict[str, WorkflowRow] = field(default_factory=dict, compare=False)


class ContextInForce:
    """The context of the process that runs steps: the steps of built-in tasks call use cases. Bootstrap fills it."""

    def __init__(self) -> None:
        self._context: Context | None = None

    def use(self, context: Context | None) -> None:
        """Let the steps that run here find this context."""
        self._context = context

    def get(self) -> Context:
        """The context.

        Raises:
            NoContextError: nobody runs steps here.
        """
        if self._context is None:
            raise NoContextError
        return self._context


context_in_force = ContextInForce()
