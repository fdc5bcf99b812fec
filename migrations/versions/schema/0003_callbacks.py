"""Callbacks that outside systems owe to processes."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BIGINT, INTEGER, TEXT, Column, DateTime, Float, ForeignKey, Identity, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB

revision = "schema_0003"
down_revision = "schema_0002"
branch_labels = None
depends_on = None

TIME = DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "callbacks",
        Column("callback_id", BIGINT, Identity(), primary_key=True),
        Column("process_seq", BIGINT, ForeignKey("processes.seq", ondelete="CASCADE"), nullable=False),
        Column("step_key", TEXT, nullable=False),
        Column("generation", INTEGER, nullable=False),
        Column("nonce", TEXT, nullable=False),
        Column("time_limit", Float(53)),
        Column("progress", JSONB),
        Column("arrived", JSONB),
        Column("arrived_at", TIME),
        Column("arrived_by", TEXT),
        Column("consumed_at", TIME),
        Column("created_at", TIME, server_default=text("now()"), nullable=False),
        UniqueConstraint("process_seq", "step_key", "generation"),
    )


def downgrade() -> None:
    op.drop_table("callbacks")
