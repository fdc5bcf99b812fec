"""The workflows of the benchmark."""

from __future__ import annotations

from alembic import op

from bench.programs.our_catalog import WORKFLOWS
from orchestrator.migrations.catalog import create_workflow, delete_workflow

revision = "our_catalog_0001"
down_revision = None
branch_labels = ("our_catalog",)
depends_on = "schema_0001"


def upgrade() -> None:
    for name in WORKFLOWS:
        create_workflow(op.get_bind(), {"name": name, "target": "SYSTEM", "description": name})


def downgrade() -> None:
    for name in WORKFLOWS:
        delete_workflow(op.get_bind(), {"name": name, "target": "SYSTEM", "description": name})
