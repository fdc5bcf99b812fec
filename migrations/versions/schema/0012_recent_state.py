"""What the last steps changed in a large state, apart from it: who changes a little need not write all of it anew."""

from __future__ import annotations

from alembic import op
from sqlalchemy import Column, text
from sqlalchemy.dialects.postgresql import JSONB

revision = "schema_0012"
down_revision = "schema_0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("processes", Column("recent", JSONB, nullable=False, server_default=text("'{}'::jsonb")))


def downgrade() -> None:
    op.execute("UPDATE processes SET state = state || recent WHERE recent <> '{}'")
    op.drop_column("processes", "recent")
