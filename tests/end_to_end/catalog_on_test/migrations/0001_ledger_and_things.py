"""The ledger, the product "Thing", and the rows of all workflows."""

from __future__ import annotations

from alembic import op

from orchestrator.migrations.catalog import create, create_workflow, delete, delete_workflow

revision = "catalog_on_test_0001"
down_revision = None
branch_labels = ("catalog_on_test",)
depends_on = "schema_0001"

CATALOG = {
    "resource_types": {"colour": "Of which colour it is"},
    "product_blocks": {"Thing Block": {"tag": "THING", "resource_types": ["colour"]}},
    "products": {"Thing": {"product_type": "Thing", "tag": "THING", "product_blocks": ["Thing Block"]}},
}
TASKS = (
    "ten_steps",
    "write_ledger",
    "two_steps",
    "fail_until_open",
    "ask_for_colour",
    "order_outside",
    "misbehave",
    "lacks_a_parameter",
    "endless_death",
    "dies_around_sending",
    "takes_too_long",
    "listens_to_nobody",
    "never_deployed",
)
ON_THINGS = {
    "create_thing": "CREATE",
    "modify_thing": "MODIFY",
    "repaint_thing": "MODIFY",
    "note_on_thing": "MODIFY",
    "look_at_thing": "SYSTEM",
    "terminate_thing": "TERMINATE",
}
WORKFLOWS = [
    *({"name": name, "target": "SYSTEM", "description": name} for name in TASKS),
    *({"name": name, "target": target, "description": name, "tag": "THING"} for name, target in ON_THINGS.items()),
]


def upgrade() -> None:
    op.execute("CREATE TABLE ledger (entry text NOT NULL)")
    conn = op.get_bind()
    create(conn, CATALOG)
    for params in WORKFLOWS:
        create_workflow(conn, params)


def downgrade() -> None:
    conn = op.get_bind()
    for params in reversed(WORKFLOWS):
        delete_workflow(conn, params)
    delete(conn, CATALOG)
    op.execute("DROP TABLE ledger")
