"""Fill in since when the time limits of processes count, and find those that expire; while all of them go on."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "schema_0006"
down_revision = "schema_0005"
branch_labels = None
depends_on = None

INDEX = "ix_processes_expires"


def upgrade() -> None:
    op.execute(
        "UPDATE processes SET limit_since = started_at "
        "WHERE limit_since IS NULL AND status IN "
        "('created', 'running', 'resumed', 'suspended', 'waiting', 'awaiting_callback')"
    )
    with op.get_context().autocommit_block():
        # One that was interrupted is there, and of no use.
        op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {INDEX}")
        op.create_index(
            INDEX,
            "processes",
            ["expires_at"],
            postgresql_where=text("expires_at IS NOT NULL"),
            postgresql_concurrently=True,
        )


def downgrade() -> None:
    op.drop_index(INDEX, "processes")
