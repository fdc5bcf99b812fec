"""An index of the few processes that wait for their children, which the clock looks at once a second."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "schema_0004"
down_revision = "schema_0003"
branch_labels = None
depends_on = None

NAME = "ix_processes_waiting_for_children"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            NAME,
            "processes",
            ["seq"],
            postgresql_where=text("waiting_for = 'children'"),
            postgresql_concurrently=True,
            if_not_exists=True,
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index(NAME, "processes", postgresql_concurrently=True, if_exists=True)
