"""The product whose subscriptions have as many blocks as wanted."""

from __future__ import annotations

from alembic import op

from bench.programs.our_catalog.tree import CATALOG
from orchestrator.migrations.catalog import create, delete

revision = "our_catalog_0002"
down_revision = "our_catalog_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create(op.get_bind(), CATALOG)


def downgrade() -> None:
    delete(op.get_bind(), CATALOG)
