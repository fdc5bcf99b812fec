"""The table of shipments, the product "Box", and the rows of all workflows."""

from __future__ import annotations

from alembic import op

from orchestrator.migrations.catalog import create, create_workflow, delete, delete_workflow

revision = "catalog_on_bench_0001"
down_revision = None
branch_labels = ("catalog_on_bench",)
depends_on = "schema_0001"

CATALOG = {
    "resource_types": {"size": "How large it is"},
    "product_blocks": {"Box Block": {"tag": "BOX", "resource_types": ["size"]}},
    "products": {"Box": {"product_type": "Box", "tag": "BOX", "product_blocks": ["Box Block"]}},
}
TASKS = ("order", "be_patient", "guarded", "waits_for_a_day")
ON_BOXES = {"create_box": "CREATE", "modify_box": "MODIFY", "validate_box": "SYSTEM"}
WORKFLOWS = [
    *({"name": name, "target": "SYSTEM", "description": name} for name in TASKS),
    *({"name": name, "target": target, "description": name, "tag": "BOX"} for name, target in ON_BOXES.items()),
]


def upgrade() -> None:
    op.execute("CREATE TABLE shipments (size int NOT NULL, sent_at timestamptz UNIQUE DEFAULT clock_timestamp())")
    create(op.get_bind(), CATALOG)
    for params in WORKFLOWS:
        create_workflow(op.get_bind(), params)


def downgrade() -> None:
    for params in reversed(WORKFLOWS):
        delete_workflow(op.get_bind(), params)
    delete(op.get_bind(), CATALOG)
    op.execute("DROP TABLE shipments")
