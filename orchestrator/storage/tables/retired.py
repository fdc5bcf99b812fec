"""What revisions of the catalog took away: kept, so that whoever goes back gets it again."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import ForeignKey, Index
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator.storage.tables.declarative import Base, Json, Now, Sequence


class RetiredRowTable(Base):
    """A row of the catalog's tables that a revision deleted; `subject` is what it belonged to, like `product Port`."""

    __tablename__ = "retired_rows"
    __table_args__ = (Index("ix_retired_rows_revision_subject", "revision", "subject"),)

    retired_row_id: Mapped[Sequence]
    revision: Mapped[str]
    subject: Mapped[str]
    table_name: Mapped[str]
    row: Mapped[Json]
    retired_at: Mapped[Now]


class RetiredValueTable(Base):
    """A value of a block that a revision, going up or down, took away."""

    __tablename__ = "retired_values"

    revision: Mapped[str] = mapped_column(primary_key=True)
    subscription_instance_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscription_instances.subscription_instance_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Any] = mapped_column(JSONB(none_as_null=False))
    retired_at: Mapped[Now]
