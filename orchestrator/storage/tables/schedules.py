"""Schedules, and what each of their due times came to."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Float, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from orchestrator.storage.tables.declarative import Base, JsonValue, Now, PublicId, Sequence


class ScheduleTable(Base):
    """Starts a workflow with the same pages again and again.

    It is one of `cron`, `every` (seconds) and `at`. `due_at` is the next due time and `run_at` when its run begins;
    both are null when no further one comes. `owner` is in whose name it starts: who wrote it last. `version` counts
    changes by people, not runs.
    """

    __tablename__ = "schedules"
    __table_args__ = (
        CheckConstraint("num_nonnulls(cron, every, at) = 1", name="one_trigger"),
        CheckConstraint("overlap IN ('skip','queue','allow')", name="overlap"),
        Index("ix_schedules_run_at", "run_at", postgresql_where=text("NOT paused AND run_at IS NOT NULL")),
        Index("ix_schedules_subscription_id", "subscription_id"),
    )

    schedule_id: Mapped[PublicId]
    name: Mapped[str]
    workflow_name: Mapped[str]
    pages: Mapped[JsonValue]
    subscription_id: Mapped[UUID | None]
    cron: Mapped[str | None]
    every: Mapped[float | None] = mapped_column(Float(53))
    at: Mapped[datetime | None]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    jitter: Mapped[float] = mapped_column(Float(53), server_default=text("0"))
    overlap: Mapped[str] = mapped_column(server_default="skip")
    start_at: Mapped[datetime]
    end_at: Mapped[datetime | None]
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    due_at: Mapped[datetime | None]
    run_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    owner: Mapped[str]
    owner_roles: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    created_by: Mapped[str]
    created_at: Mapped[Now]
    last_modified_at: Mapped[Now]


class ScheduleRunTable(Base):
    """What one due time of a schedule came to: there is one row for each, whoever looks and how often.

    `missed_until`: nobody looked when it was due, and it stands for all due times up to this moment. `requested_by`:
    somebody ran it by hand, at the moment `due_at`.
    """

    __tablename__ = "schedule_runs"
    __table_args__ = (
        CheckConstraint("outcome IN ('started','queued','skipped','refused')", name="outcome"),
        UniqueConstraint("schedule_id", "due_at"),
        Index("ix_schedule_runs_schedule_id_run_id", "schedule_id", "run_id"),
        Index("ix_schedule_runs_started", "schedule_id", "run_id", postgresql_where=text("process_id IS NOT NULL")),
        Index("uq_schedule_runs_queued", "schedule_id", unique=True, postgresql_where=text("outcome = 'queued'")),
    )

    run_id: Mapped[Sequence]
    schedule_id: Mapped[UUID] = mapped_column(ForeignKey("schedules.schedule_id", ondelete="CASCADE"))
    due_at: Mapped[datetime]
    outcome: Mapped[str]
    process_id: Mapped[UUID | None]
    reason: Mapped[str | None]
    missed_until: Mapped[datetime | None]
    requested_by: Mapped[str | None]
    recorded_at: Mapped[Now]
