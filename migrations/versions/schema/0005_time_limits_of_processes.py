"""Since when the time limit of a process counts, and when it strikes one that waits."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, DateTime, text

revision = "schema_0005"
down_revision = "schema_0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("processes", Column("limit_since", DateTime(timezone=True)))
    op.add_column("processes", Column("expires_at", DateTime(timezone=True)))
    op.alter_column("processes", "limit_since", server_default=text("now()"))


def downgrade() -> None:
    op.drop_column("processes", "expires_at")
    op.drop_column("processes", "limit_since")
