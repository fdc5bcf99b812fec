"""Delete old processes and old runs of schedules. Each batch is a transaction: what is killed goes on where it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final
from uuid import UUID

from orchestrator.language.vocabulary import Actor
from orchestrator.services import audit
from orchestrator.services.context import Context
from orchestrator.storage.cleaning_statements import delete_old_processes, delete_old_runs

_BATCH: Final = 500
_ABOVE_ALL: Final = 2**63 - 1


@dataclass(frozen=True)
class Cleaned:
    """How much was deleted."""

    processes: int
    schedule_runs: int


def clean_up(context: Context, actor: Actor, process_id: UUID, batch: int = _BATCH) -> Cleaned:
    """Delete what is older than the settings keep it: processes that have ended, with their steps and inputs, and runs
    of schedules. What they did stays, and so do the audit and the history of subscriptions.

    Args:
        context: of this process of the operating system.
        actor: who cleans up.
        process_id: of the process that does it, for the audit.
        batch: how much is deleted in one transaction.
    """
    return Cleaned(_processes(context, actor, process_id, batch), _runs(context, actor, batch))


def _processes(context: Context, actor: Actor, process_id: UUID, batch: int) -> int:
    deleted = 0
    # Parents follow their children, in the next round at the latest.
    while found := _round(context, actor, process_id, batch):
        deleted += found
    return deleted


def _round(context: Context, actor: Actor, process_id: UUID, batch: int) -> int:
    deleted, below = 0, _ABOVE_ALL
    while True:
        with context.database.transaction(actor.name) as session:
            gone = delete_old_processes(session, context.settings.retention_days, below, batch)
            if not gone:
                return deleted
            audit.record(
                session,
                actor,
                "clean up",
                "process",
                process_id,
                process_id=process_id,
                before={"deleted": [str(one) for one in gone.values()]},
            )
        deleted += len(gone)
        below = min(gone)


def _runs(context: Context, actor: Actor, batch: int) -> int:
    deleted = 0
    while True:
        with context.database.transaction(actor.name) as session:
            gone = delete_old_runs(session, context.settings.schedule_run_days, batch)
        if not gone:
            return deleted
        deleted += gone
