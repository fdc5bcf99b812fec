"""Who did what, when and why. Written in the transaction of what it tells; never changed afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.language.vocabulary import Actor
from orchestrator.services.context import Context
from orchestrator.services.lists import Field, Kind, ListDefinition, ListQuery, Page, list_page
from orchestrator.storage.tables import AuditTable


@dataclass(frozen=True)
class AuditEntry:
    """One thing that somebody did. `before` and `after` hold what changed, as JSON."""

    audit_id: int
    at: datetime
    actor: str
    action: str
    object_type: str
    object_id: str
    process_id: UUID | None
    subscription_id: UUID | None
    reason: str | None
    before: Any | None
    after: Any | None
    request_id: str | None


AUDIT_LIST = ListDefinition(
    "audit",
    select(AuditTable),
    {
        "audit_id": Field(AuditTable.audit_id, Kind.INTEGER),
        "at": Field(AuditTable.at, Kind.TIME, sortable=False, follows_tie=True),
        "actor": Field(AuditTable.actor, Kind.TEXT, sortable=False),
        "action": Field(AuditTable.action, Kind.WORD, sortable=False),
        "object_type": Field(AuditTable.object_type, Kind.WORD, sortable=False),
        "object_id": Field(AuditTable.object_id, Kind.WORD, sortable=False),
        "process_id": Field(AuditTable.process_id, Kind.UUID, sortable=False),
        "subscription_id": Field(AuditTable.subscription_id, Kind.UUID, sortable=False),
        "request_id": Field(AuditTable.request_id, Kind.WORD, sortable=False),
    },
    tie=AuditTable.audit_id,
)


def record(
    session: Session,
    actor: Actor,
    action: str,
    object_type: str,
    object_id: object,
    *,
    process_id: UUID | None = None,
    subscription_id: UUID | None = None,
    reason: str | None = None,
    before: Any = None,
    after: Any = None,
    request_id: str | None = None,
) -> None:
    """Add one entry to the transaction of this session.

    Args:
        session: of the transaction that makes the change.
        actor: who does it.
        action: a verb in a word or two, like `start` or `set in sync`.
        object_type: `process`, `subscription`, `product`, `product block`, `resource type`, `workflow` or `schedule`.
        object_id: the id of that object.
        process_id: the process that it is about, if any.
        subscription_id: the subscription that it is about, if any.
        reason: why, in the words of the actor.
        before: what it was like, as JSON.
        after: what it is like now, as JSON.
        request_id: finds the request in the log.
    """
    session.add(
        AuditTable(
            actor=actor.name,
            action=action,
            object_type=object_type,
            object_id=str(object_id),
            process_id=process_id,
            subscription_id=subscription_id,
            reason=reason,
            before=before,
            after=after,
            request_id=request_id,
        )
    )


def list_audit(
    context: Context, query: ListQuery, *, process_id: UUID | None = None, subscription_id: UUID | None = None
) -> Page[AuditEntry]:
    """The entries, newest first; those of one process or subscription when it is named.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    narrowed = AUDIT_LIST
    if process_id is not None:
        narrowed = narrowed.where(AuditTable.process_id == process_id)
    if subscription_id is not None:
        narrowed = narrowed.where(AuditTable.subscription_id == subscription_id)
    with context.database.reading() as session:
        return list_page(session, narrowed, query).map(lambda row: _entry(row[0]))


def _entry(row: AuditTable) -> AuditEntry:
    return AuditEntry(
        audit_id=row.audit_id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        object_type=row.object_type,
        object_id=row.object_id,
        process_id=row.process_id,
        subscription_id=row.subscription_id,
        reason=row.reason,
        before=row.before,
        after=row.after,
        request_id=row.request_id,
    )
