"""All tables of the first release, the one row of the engine's settings and the function that reads it.

Constraints and indexes without a name here get theirs from the naming convention of the models' metadata.
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import (
    BIGINT,
    BOOLEAN,
    INTEGER,
    TEXT,
    UUID,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "schema_0001"
down_revision = None
branch_labels = ("schema",)
depends_on = None

TIME = DateTime(timezone=True)
NOW = text("now()")

# Volatile plpgsql, so that it looks with a snapshot of its own: a pause that was committed after the calling statement
# began is seen.
ENGINE_OPEN = """
CREATE FUNCTION engine_open() RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    RETURN (SELECT NOT paused FROM engine_settings WHERE id = 1);
END
$$
"""


def upgrade() -> None:
    _create_catalog()
    _create_subscriptions()
    _create_processes()
    _create_records()
    op.execute("INSERT INTO engine_settings (id) VALUES (1)")
    op.execute(ENGINE_OPEN)


def downgrade() -> None:
    op.execute("DROP FUNCTION engine_open()")
    op.execute(
        "DROP TABLE audit, subscription_changes, idempotency_keys, engine_settings, process_inputs, process_steps, "
        "process_subscriptions, processes, subscription_instance_relations, subscription_instances, subscriptions, "
        "product_block_relations, product_block_resource_types, product_product_blocks, products_workflows, "
        "fixed_inputs, resource_types, product_blocks, products, workflow_versions, workflows"
    )


def _create_catalog() -> None:
    op.create_table(
        "workflows",
        Column("workflow_id", UUID, primary_key=True),
        Column("name", TEXT, nullable=False),
        Column("target", TEXT, nullable=False),
        Column("description", TEXT, server_default="", nullable=False),
        Column("is_task", BOOLEAN, server_default=text("false"), nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("deleted_at", TIME),
        CheckConstraint("target IN ('CREATE','MODIFY','TERMINATE','SYSTEM','VALIDATE','RECONCILE')", name="target"),
    )
    op.create_index(
        "uq_workflows_name", "workflows", ["name"], unique=True, postgresql_where=text("deleted_at IS NULL")
    )
    op.create_table(
        "workflow_versions",
        Column("version_id", BIGINT, Identity(), primary_key=True),
        Column("workflow_name", TEXT, nullable=False),
        Column("hash", TEXT, nullable=False),
        Column("steps", JSONB, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        UniqueConstraint("workflow_name", "hash"),
    )
    op.create_table(
        "products",
        Column("product_id", UUID, primary_key=True),
        Column("name", TEXT, unique=True, nullable=False),
        Column("description", TEXT, server_default="", nullable=False),
        Column("product_type", TEXT, nullable=False),
        Column("tag", TEXT, index=True, nullable=False),
        Column("status", TEXT, server_default="active", nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("end_date", TIME),
        CheckConstraint("status IN ('active','pre production','phase out','end of life')", name="status"),
    )
    op.create_table(
        "fixed_inputs",
        Column("fixed_input_id", UUID, primary_key=True),
        Column("product_id", UUID, ForeignKey("products.product_id", ondelete="CASCADE"), nullable=False),
        Column("name", TEXT, nullable=False),
        Column("value", TEXT, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        UniqueConstraint("product_id", "name"),
    )
    op.create_table(
        "product_blocks",
        Column("product_block_id", UUID, primary_key=True),
        Column("name", TEXT, unique=True, nullable=False),
        Column("description", TEXT, server_default="", nullable=False),
        Column("tag", TEXT, server_default="", nullable=False),
        Column("status", TEXT, server_default="active", nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("end_date", TIME),
        CheckConstraint("status IN ('active','pre production','phase out','end of life')", name="status"),
    )
    op.create_table(
        "resource_types",
        Column("resource_type_id", UUID, primary_key=True),
        Column("resource_type", TEXT, unique=True, nullable=False),
        Column("description", TEXT, server_default="", nullable=False),
    )
    op.create_table(
        "product_product_blocks",
        Column("product_id", UUID, ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True),
        Column("product_block_id", UUID, ForeignKey("product_blocks.product_block_id"), primary_key=True, index=True),
    )
    op.create_table(
        "product_block_resource_types",
        Column(
            "product_block_id",
            UUID,
            ForeignKey("product_blocks.product_block_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        Column("resource_type_id", UUID, ForeignKey("resource_types.resource_type_id"), primary_key=True, index=True),
    )
    op.create_table(
        "products_workflows",
        Column("product_id", UUID, ForeignKey("products.product_id", ondelete="CASCADE"), primary_key=True),
        Column(
            "workflow_id", UUID, ForeignKey("workflows.workflow_id", ondelete="CASCADE"), primary_key=True, index=True
        ),
    )
    op.create_table(
        "product_block_relations",
        Column(
            "in_use_by_id", UUID, ForeignKey("product_blocks.product_block_id", ondelete="CASCADE"), primary_key=True
        ),
        Column(
            "depends_on_id",
            UUID,
            ForeignKey("product_blocks.product_block_id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
    )


def _create_subscriptions() -> None:
    op.create_table(
        "subscriptions",
        Column("subscription_id", UUID, primary_key=True),
        Column("seq", BIGINT, Identity(), unique=True, nullable=False),
        Column("product_id", UUID, ForeignKey("products.product_id"), index=True, nullable=False),
        Column("customer_id", TEXT, index=True, nullable=False),
        Column("description", TEXT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("insync", BOOLEAN, server_default=text("false"), nullable=False),
        Column("start_date", TIME),
        Column("end_date", TIME),
        Column("note", TEXT),
        Column("version", INTEGER, server_default=text("1"), nullable=False),
        Column("held_by", UUID),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("last_modified_at", TIME, server_default=NOW, nullable=False),
        CheckConstraint(
            "status IN ('initial','active','migrating','disabled','terminated','provisioning')",
            name="status",
        ),
    )
    op.create_index("ix_subscriptions_out_of_sync", "subscriptions", ["seq"], postgresql_where=text("NOT insync"))
    op.create_index("ix_subscriptions_status_seq", "subscriptions", ["status", "seq"])
    op.create_table(
        "subscription_instances",
        Column("subscription_instance_id", UUID, primary_key=True),
        Column(
            "subscription_id",
            UUID,
            ForeignKey("subscriptions.subscription_id", ondelete="CASCADE"),
            index=True,
            nullable=False,
        ),
        Column("product_block_id", UUID, ForeignKey("product_blocks.product_block_id"), index=True, nullable=False),
        Column("label", TEXT),
        Column("root_attribute", TEXT),
        Column("root_order", INTEGER, server_default=text("0"), nullable=False),
        Column("values", JSONB, server_default=text("'{}'::jsonb"), nullable=False),
    )
    op.create_index(
        "ix_subscription_instances_values",
        "subscription_instances",
        ["values"],
        postgresql_using="gin",
        postgresql_ops={"values": "jsonb_path_ops"},
    )
    op.create_table(
        "subscription_instance_relations",
        Column(
            "in_use_by_id",
            UUID,
            ForeignKey("subscription_instances.subscription_instance_id", ondelete="CASCADE"),
            primary_key=True,
        ),
        Column("domain_model_attr", TEXT, primary_key=True),
        Column("order_id", INTEGER, primary_key=True),
        Column(
            "depends_on_id",
            UUID,
            ForeignKey("subscription_instances.subscription_instance_id"),
            index=True,
            nullable=False,
        ),
    )


def _create_processes() -> None:
    op.create_table(
        "processes",
        Column("seq", BIGINT, Identity(), primary_key=True),
        Column("process_id", UUID, index=True, nullable=False),
        Column("workflow_id", UUID, ForeignKey("workflows.workflow_id"), nullable=False),
        Column("version_id", BIGINT, ForeignKey("workflow_versions.version_id"), nullable=False),
        Column("target", TEXT, nullable=False),
        Column("is_task", BOOLEAN, server_default=text("false"), nullable=False),
        Column("status", TEXT, server_default="created", nullable=False),
        Column("waiting_for", TEXT),
        Column("paused", BOOLEAN, server_default=text("false"), nullable=False),
        Column("position", INTEGER, server_default=text("0"), nullable=False),
        Column("generation", INTEGER, server_default=text("1"), nullable=False),
        Column("step_key", TEXT),
        Column("last_step", TEXT),
        Column("claim", UUID),
        Column("attempt", INTEGER, server_default=text("0"), nullable=False),
        Column("claimed_at", TIME),
        Column("claimed_by", TEXT),
        Column("deadline", TIME),
        Column("rung_at", TIME, server_default=NOW, nullable=False),
        Column("due_at", TIME),
        Column("waiting_since", TIME),
        Column("state", JSONB, server_default=text("'{}'::jsonb"), nullable=False),
        Column("assignee", TEXT, server_default="SYSTEM", nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("started_at", TIME, server_default=NOW, nullable=False),
        Column("last_modified_at", TIME, server_default=NOW, nullable=False),
        Column("change_seq", BIGINT, server_default=text("1"), nullable=False),
        Column("failed_reason", TEXT),
        Column("traceback", TEXT),
        Column("note", TEXT),
        Column("parent_seq", BIGINT),
        Column("parent_position", INTEGER),
        Column("parent_generation", INTEGER),
        Column("parent_branch", TEXT),
        CheckConstraint(
            "status IN ('created','running','suspended','waiting','awaiting_callback','failed','inconsistent_data',"
            "'api_unavailable','aborted','completed','resumed')",
            name="status",
        ),
        postgresql_with={"fillfactor": "70"},
    )
    op.create_index("ix_processes_due", "processes", ["due_at"], postgresql_where=text("due_at IS NOT NULL"))
    op.create_index("ix_processes_is_task_seq", "processes", ["is_task", "seq"])
    op.create_index(
        "ix_processes_parent_seq", "processes", ["parent_seq"], postgresql_where=text("parent_seq IS NOT NULL")
    )
    op.create_index(
        "ix_processes_runnable",
        "processes",
        ["seq"],
        postgresql_where=text("status IN ('created','running','resumed')"),
    )
    op.create_index("ix_processes_status_seq", "processes", ["status", "seq"])
    op.create_index("ix_processes_workflow_id_seq", "processes", ["workflow_id", "seq"])
    op.create_table(
        "process_steps",
        Column("step_id", BIGINT, Identity(), primary_key=True),
        Column("process_seq", BIGINT, ForeignKey("processes.seq", ondelete="CASCADE"), nullable=False),
        Column("position", INTEGER, nullable=False),
        Column("generation", INTEGER, server_default=text("1"), nullable=False),
        Column("key", TEXT, nullable=False),
        Column("name", TEXT, nullable=False),
        Column("status", TEXT, nullable=False),
        Column("delta", JSONB, server_default=text("'{}'::jsonb"), nullable=False),
        Column("removed", ARRAY(TEXT), server_default=text("'{}'::text[]"), nullable=False),
        Column("attempt", INTEGER, server_default=text("1"), nullable=False),
        Column("error", JSONB),
        Column("created_by", TEXT, nullable=False),
        Column("started_at", TIME, server_default=NOW, nullable=False),
        Column("completed_at", TIME, server_default=NOW, nullable=False),
        Column("worker", TEXT),
        Column("claim", UUID, unique=True),
        Column("task_id", TEXT),
        CheckConstraint(
            "status IN ('success','skipped','suspend','waiting','awaiting_callback','failed','abort','complete')",
            name="status",
        ),
    )
    op.create_index("ix_process_steps_process_seq_step_id", "process_steps", ["process_seq", "step_id"])
    op.create_index(
        "ix_process_steps_task_id", "process_steps", ["task_id"], postgresql_where=text("task_id IS NOT NULL")
    )
    op.create_index(
        "uq_process_steps_recorded_once",
        "process_steps",
        ["process_seq", "position", "generation"],
        unique=True,
        postgresql_where=text("status IN ('success','skipped','complete')"),
    )
    op.create_table(
        "process_subscriptions",
        Column("process_seq", BIGINT, ForeignKey("processes.seq", ondelete="CASCADE"), primary_key=True),
        Column(
            "subscription_id",
            UUID,
            ForeignKey("subscriptions.subscription_id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
        Column("before", JSONB),
        Column("created_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_table(
        "process_inputs",
        Column("input_id", BIGINT, Identity(), primary_key=True),
        Column("process_seq", BIGINT, ForeignKey("processes.seq", ondelete="CASCADE"), index=True, nullable=False),
        Column("position", INTEGER),
        Column("step_key", TEXT),
        Column("pages", JSONB, nullable=False),
        Column("created_by", TEXT, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_table(
        "idempotency_keys",
        Column("actor", TEXT, primary_key=True),
        Column("key", TEXT, primary_key=True),
        Column("request_hash", TEXT, nullable=False),
        Column("answer", JSONB, nullable=False),
        Column("created_at", TIME, server_default=NOW, nullable=False),
        Column("expires_at", TIME, index=True, nullable=False),
    )
    op.create_table(
        "engine_settings",
        Column("id", INTEGER, server_default=text("1"), autoincrement=False, primary_key=True),
        Column("paused", BOOLEAN, server_default=text("false"), nullable=False),
        Column("reason", TEXT),
        Column("changed_by", TEXT),
        Column("changed_at", TIME, server_default=NOW, nullable=False),
        CheckConstraint("id = 1", name="one_row"),
    )


def _create_records() -> None:
    op.create_table(
        "audit",
        Column("audit_id", BIGINT, Identity(), primary_key=True),
        Column("at", TIME, server_default=NOW, nullable=False),
        Column("actor", TEXT, nullable=False),
        Column("action", TEXT, nullable=False),
        Column("object_type", TEXT, nullable=False),
        Column("object_id", TEXT, nullable=False),
        Column("process_id", UUID, index=True),
        Column("subscription_id", UUID, index=True),
        Column("reason", TEXT),
        Column("before", JSONB),
        Column("after", JSONB),
        Column("request_id", TEXT),
    )
    op.create_index("ix_audit_object", "audit", ["object_type", "object_id"])
    op.create_table(
        "subscription_changes",
        Column("change_id", BIGINT, Identity(), primary_key=True),
        Column("subscription_id", UUID, nullable=False),
        Column("subscription_instance_id", UUID),
        Column("path", TEXT, nullable=False),
        Column("before", JSONB),
        Column("after", JSONB),
        Column("process_id", UUID, index=True),
        Column("step_key", TEXT),
        Column("changed_by", TEXT, nullable=False),
        Column("changed_at", TIME, server_default=NOW, nullable=False),
    )
    op.create_index(
        "ix_subscription_changes_subscription_id_change_id", "subscription_changes", ["subscription_id", "change_id"]
    )
