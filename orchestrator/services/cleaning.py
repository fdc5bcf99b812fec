"""Delete what is old. Each batch is a transaction: what is killed goes on where it was, and nobody waits long."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.language.vocabulary import Actor
from orchestrator.services import audit
from orchestrator.services.context import Context
from orchestrator.storage.cleaning_statements import (
    Place,
    delete_expired_keys,
    delete_old_audit,
    delete_old_changes,
    delete_old_processes,
    delete_old_runs,
)

_BATCH: Final = 500
# Rows that the processes of a batch may have left behind, about: a few with a thousand steps are a batch, too.
_CHANGES: Final = 20_000
# So many times as long as a batch took nothing is done after it: steps have the server to themselves meanwhile.
_REST: Final = 2.0


@dataclass(frozen=True)
class Cleaned:
    """How much was deleted."""

    processes: int
    schedule_runs: int
    idempotency_keys: int
    audit_entries: int
    changes: int


def clean_up(context: Context, actor: Actor, process_id: UUID, batch: int = _BATCH) -> Cleaned:
    """Delete what is older than the settings keep it: processes that have ended, with their steps and inputs, runs of
    schedules, and idempotency keys. What they did stays; so do the audit and the history of values, unless the settings
    say otherwise.

    Args:
        context: of this process of the operating system.
        actor: who cleans up.
        process_id: of the process that does it, for the audit.
        batch: how much is deleted in one transaction.
    """
    settings, own = context.settings, _Transactions(context, actor)
    processes = _processes(own, process_id, batch)
    runs = own.repeat(lambda session: delete_old_runs(session, settings.schedule_run_days, batch))
    keys = own.repeat(lambda session: delete_expired_keys(session, batch))
    entries = changes = 0
    if (audit_days := settings.audit_days) is not None:
        entries = own.repeat(lambda session: delete_old_audit(session, audit_days, batch))
    if (change_days := settings.change_days) is not None:
        changes = own.repeat(lambda session: delete_old_changes(session, change_days, batch))
    return Cleaned(processes, runs, keys, entries, changes)


class _Transactions:
    """Transactions one after the other, with a rest after each."""

    def __init__(self, context: Context, actor: Actor) -> None:
        self.context = context
        self.actor = actor

    def once(self, delete: Callable[[Session], int]) -> int:
        """Delete a batch; how much it was."""
        began = time.monotonic()
        with self.context.database.transaction(self.actor.name) as session:
            deleted = delete(session)
        time.sleep(_REST * (time.monotonic() - began))
        return deleted

    def repeat(self, delete: Callable[[Session], int]) -> int:
        """Delete batches until there is nothing more; how much it was."""
        deleted = 0
        while gone := self.once(delete):
            deleted += gone
        return deleted


def _processes(own: _Transactions, process_id: UUID, batch: int) -> int:
    deleted = 0
    # Parents follow their children, in the next round at the latest.
    while found := _round(own, process_id, batch):
        deleted += found
    return deleted


def _round(own: _Transactions, process_id: UUID, batch: int) -> int:
    retention = own.context.settings.retention_days
    return sum(_of_target(own, process_id, target, days, batch) for target, days in retention.items())


def _of_target(own: _Transactions, process_id: UUID, target: str, days: float, batch: int) -> int:
    below: Place | None = None

    def delete(session: Session) -> int:
        nonlocal below
        gone = delete_old_processes(session, target, days, below, batch, _CHANGES)
        if gone:
            below = gone[-1].place
            audit.record(
                session,
                own.actor,
                "clean up",
                "process",
                process_id,
                process_id=process_id,
                before={"deleted": [str(one.process_id) for one in gone]},
            )
        return len(gone)

    return own.repeat(delete)
