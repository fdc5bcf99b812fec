"""The ledger, without any key, and the workflow."""

from __future__ import annotations

from alembic import op

from orchestrator.migrations.catalog import create_workflow, delete_workflow

revision = "chaos_catalog_0001"
down_revision = None
branch_labels = ("chaos_catalog",)
depends_on = "schema_0001"

WORKFLOW = {"name": "ten_steps_in_the_storm", "target": "SYSTEM", "description": "Ten steps in the storm"}


def upgrade() -> None:
    op.execute("CREATE TABLE ledger (number integer NOT NULL, step text NOT NULL)")
    create_workflow(op.get_bind(), WORKFLOW)


def downgrade() -> None:
    delete_workflow(op.get_bind(), WORKFLOW)
    op.execute("DROP TABLE ledger")
