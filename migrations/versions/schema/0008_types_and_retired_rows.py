"""Types of resource types; what revisions of the catalog take away, kept for those who go back."""

from __future__ import annotations

from alembic import op
from sqlalchemy import BIGINT, TEXT, Column, DateTime, ForeignKey, Identity, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

revision = "schema_0008"
down_revision = "schema_0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("product_block_resource_types", Column("value_type", TEXT))
    op.create_table(
        "retired_rows",
        Column("retired_row_id", BIGINT, Identity(), primary_key=True),
        Column("revision", TEXT, nullable=False),
        Column("subject", TEXT, nullable=False),
        Column("table_name", TEXT, nullable=False),
        Column("row", JSONB, nullable=False),
        Column("retired_at", DateTime(timezone=True), server_default=text("now()"), nullable=False),
    )
    op.create_index("ix_retired_rows_revision_subject", "retired_rows", ["revision", "subject"])
    op.create_table(
        "retired_values",
        Column("revision", TEXT, primary_key=True),
        Column(
            "subscription_instance_id",
            Uuid(),
            ForeignKey("subscription_instances.subscription_instance_id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
        Column("name", TEXT, primary_key=True),
        Column("value", JSONB, nullable=False),
        Column("retired_at", DateTime(timezone=True), server_default=text("now()"), nullable=False),
    )


def downgrade() -> None:
    op.drop_table("retired_values")
    op.drop_table("retired_rows")
    op.drop_column("product_block_resource_types", "value_type")
