"""Schedules, and what each of their due times came to."""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BIGINT,
    BOOLEAN,
    TEXT,
    UUID,
    CheckConstraint,
    Column,
    DateTime,
    Float,
    ForeignKey,
    Identity,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "schema_0007"
down_revision = "schema_0006"
branch_labels = None
depends_on = None

TIME = DateTime(timezone=True)
NOW = text("now()")


def upgrade() -> None:
    op.create_table(
        "schedules",
        Column("schedule_id", UUID, primary_key=True),
        Column("name", TEXT, nullable=False),
        Column("workflow_name", TEXT, nullable=False),
        Column("pages", JSONB, nullable=False),
        Column("subscription_id", UUID, index=True),
        Column("cron", TEXT),
        Column("every", Float(53)),
        Column("at", TIME),
        Column("time_zone", TEXT, server_default="UTC", nullable=False),
        Column("jitter", Float(53), server_default=text("0"), nullable=False),
        Column("overlap", TEXT, server_default="skip", nullable=False),
        Column("start_at", TIME, nullable=False),
        Column("end_at", TIME),
        Column("paused", BOOLEAN, server_default=text("false"), nullable=False),
        Column("due_at", TIME),
        Column("run_at", TIME),
        Column("version", BIGINT, server_default=text("1"), nullable=False),
        Column("owner", TEXT, nullable=False),
        Column("owner_roles", ARRAY(TEXT), server_default=text("'{}'::text[]"), nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("last_modified_at", TIME, server_default=NOW, nullable=False),
        CheckConstraint("num_nonnulls(cron, every, at) = 1", name="one_trigger"),
        CheckConstraint("overlap IN ('skip','queue','allow')", name="overlap"),
    )
    op.create_index(
        "ix_schedules_run_at", "schedules", ["run_at"], postgresql_where=text("NOT paused AND run_at IS NOT NULL")
    )
    op.create_table(
        "schedule_runs",
        Column("run_id", BIGINT, Identity(), primary_key=True),
        Column("schedule_id", UUID, ForeignKey("schedules.schedule_id", ondelete="CASCADE"), nullable=False),
        Column("due_at", TIME, nullable=False),
        Column("outcome", TEXT, nullable=False),
        Column("process_id", UUID),
        Column("reason", TEXT),
        Column("missed_until", TIME),
        Column("requested_by", TEXT),
        Column("recorded_at", TIME, server_default=NOW, nullable=False),
        CheckConstraint("outcome IN ('started','queued','skipped','refused')", name="outcome"),
        UniqueConstraint("schedule_id", "due_at"),
    )
    op.create_index("ix_schedule_runs_schedule_id_run_id", "schedule_runs", ["schedule_id", "run_id"])
    op.create_index(
        "ix_schedule_runs_started",
        "schedule_runs",
        ["schedule_id", "run_id"],
        postgresql_where=text("process_id IS NOT NULL"),
    )
    op.create_index(
        "uq_schedule_runs_queued",
        "schedule_runs",
        ["schedule_id"],
        unique=True,
        postgresql_where=text("outcome = 'queued'"),
    )


def downgrade() -> None:
    op.drop_table("schedule_runs")
    op.drop_table("schedules")
