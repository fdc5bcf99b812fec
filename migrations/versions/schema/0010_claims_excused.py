"""How many claims of a step were not counted, because the server ended with them: not any number of them is."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, Integer, text

revision = "schema_0010"
down_revision = "schema_0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("processes", Column("excused", Integer, nullable=False, server_default=text("0")))


def downgrade() -> None:
    op.drop_column("processes", "excused")
