"""What happened: the audit and the history of values. Append only; both survive retention (no foreign keys)."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator.storage.tables.declarative import GROWING, Base, Now, Sequence


class AuditTable(Base):
    """Who did what to which object, when and why; written in the transaction of what it tells."""

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_process_id", "process_id"),
        Index("ix_audit_subscription_id", "subscription_id"),
        Index("ix_audit_object", "object_type", "object_id"),
        Index("ix_audit_at_audit_id", "at", "audit_id"),
        Index("ix_audit_action_audit_id", "action", "audit_id"),
        Index("ix_audit_request_id", "request_id", postgresql_where=text("request_id IS NOT NULL")),
        GROWING,
    )

    audit_id: Mapped[Sequence]
    at: Mapped[Now]
    actor: Mapped[str]
    action: Mapped[str]
    object_type: Mapped[str]
    object_id: Mapped[str]
    process_id: Mapped[UUID | None]
    subscription_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    before: Mapped[Any | None] = mapped_column(JSONB)
    after: Mapped[Any | None] = mapped_column(JSONB)
    request_id: Mapped[str | None]


class SubscriptionChangeTable(Base):
    """One value that one save changed: `path` is like `description` or `ne.esdb_node_id` or `ne.ports[2].speed`."""

    __tablename__ = "subscription_changes"
    __table_args__ = (
        Index("ix_subscription_changes_subscription_id_change_id", "subscription_id", "change_id"),
        Index("ix_subscription_changes_process_id", "process_id"),
        GROWING,
    )

    change_id: Mapped[Sequence]
    subscription_id: Mapped[UUID]
    subscription_instance_id: Mapped[UUID | None]
    path: Mapped[str]
    before: Mapped[Any | None] = mapped_column(JSONB)
    after: Mapped[Any | None] = mapped_column(JSONB)
    process_id: Mapped[UUID | None]
    step_key: Mapped[str | None]
    changed_by: Mapped[str]
    changed_at: Mapped[Now]
