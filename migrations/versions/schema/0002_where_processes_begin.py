"""Where a process begins to run, with the state there; which subscriptions a process that failed gave back."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BIGINT, BOOLEAN, INTEGER, TEXT, CheckConstraint, Column, DateTime, ForeignKey, Identity, text
from sqlalchemy.dialects.postgresql import JSONB

revision = "schema_0002"
down_revision = "schema_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "process_starts",
        Column("start_id", BIGINT, Identity(), primary_key=True),
        Column("process_seq", BIGINT, ForeignKey("processes.seq", ondelete="CASCADE"), index=True, nullable=False),
        Column("generation", INTEGER, nullable=False),
        Column("version_id", BIGINT, ForeignKey("workflow_versions.version_id"), nullable=False),
        Column("position", INTEGER, nullable=False),
        Column("step_key", TEXT),
        Column("cause", TEXT, nullable=False),
        Column("state", JSONB, nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("reason", TEXT),
        Column("created_at", DateTime(timezone=True), server_default=text("now()"), nullable=False),
        CheckConstraint("cause IN ('start','rerun','migrate')", name="cause"),
    )
    op.add_column("process_subscriptions", Column("given_back", BOOLEAN, server_default=text("false"), nullable=False))


def downgrade() -> None:
    op.drop_column("process_subscriptions", "given_back")
    op.drop_table("process_starts")
