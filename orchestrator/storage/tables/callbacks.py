"""Callbacks that outside systems owe to processes."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Float, ForeignKey, Integer, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator.storage.tables.declarative import Base, Now, Sequence


class CallbackTable(Base):
    """What one awaiting step of a process waits for; made before its route is handed out for the first time.

    `step_key` is that of the step that waits. The token of the route is made from `nonce` and a key that is not in the
    database. `arrived` is what the outside system sent, `consumed_at` when the step took it.
    """

    __tablename__ = "callbacks"
    __table_args__ = (UniqueConstraint("process_seq", "step_key", "generation"),)

    callback_id: Mapped[Sequence]
    process_seq: Mapped[int] = mapped_column(ForeignKey("processes.seq", ondelete="CASCADE"))
    step_key: Mapped[str]
    generation: Mapped[int] = mapped_column(Integer)
    nonce: Mapped[str]
    time_limit: Mapped[float | None] = mapped_column(Float(53))
    progress: Mapped[Any | None] = mapped_column(JSONB)
    arrived: Mapped[Any | None] = mapped_column(JSONB)
    arrived_at: Mapped[datetime | None]
    arrived_by: Mapped[str | None]
    consumed_at: Mapped[datetime | None]
    created_at: Mapped[Now]
