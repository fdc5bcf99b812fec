"""The built-in workflows, with the same ids everywhere, and the schedules that they begin with."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "schema_0009"
down_revision = "schema_0008"
branch_labels = None
depends_on = None

NOTE_ID = "019a0000-0000-7000-8000-000000000001"
WORKFLOWS = (
    (NOTE_ID, "modify_note", "MODIFY", False, "Modify the note of a subscription"),
    (
        "019a0000-0000-7000-8000-000000000002",
        "task_clean_up_tasks",
        "SYSTEM",
        True,
        "Delete old processes and runs of schedules",
    ),
    (
        "019a0000-0000-7000-8000-000000000003",
        "task_validate_subscriptions",
        "SYSTEM",
        True,
        "Validate all subscriptions",
    ),
    (
        "019a0000-0000-7000-8000-000000000004",
        "task_validate_products",
        "SYSTEM",
        True,
        "Compare products and workflows of the code with the database",
    ),
    (
        "019a0000-0000-7000-8000-000000000005",
        "task_validate_product_type",
        "SYSTEM",
        True,
        "Validate all subscriptions of a product type",
    ),
)
TOMORROW = "(date_trunc('day', now() AT TIME ZONE 'UTC') + interval '1 day {}') AT TIME ZONE 'UTC'"
SCHEDULES = (
    ("019a0000-0000-7000-8000-000000000012", "task_clean_up_tasks", None, 21_600, "now() + interval '6 hours'"),
    (
        "019a0000-0000-7000-8000-000000000013",
        "task_validate_subscriptions",
        "10 0 * * *",
        None,
        TOMORROW.format("10 minutes"),
    ),
    (
        "019a0000-0000-7000-8000-000000000014",
        "task_validate_products",
        "30 2 * * *",
        None,
        TOMORROW.format("2 hours 30 minutes"),
    ),
)

# One of the same name that the installation has already stays as it is.
INSERT_WORKFLOW = text("""
INSERT INTO workflows (workflow_id, name, target, is_task, description)
SELECT CAST(:workflow_id AS uuid), CAST(:name AS text), CAST(:target AS text), :is_task, CAST(:description AS text)
WHERE NOT EXISTS (SELECT FROM workflows WHERE name = :name AND deleted_at IS NULL)
ON CONFLICT (workflow_id) DO UPDATE SET deleted_at = NULL
""")
LINK_NOTE = text("""
INSERT INTO products_workflows (product_id, workflow_id)
SELECT p.product_id, w.workflow_id FROM products p CROSS JOIN workflows w
WHERE w.name = 'modify_note' AND w.deleted_at IS NULL
ON CONFLICT DO NOTHING
""")
INSERT_SCHEDULE = """
INSERT INTO schedules (schedule_id, name, workflow_name, pages, cron, every, start_at, due_at, run_at, owner,
                       created_by)
SELECT CAST(:schedule_id AS uuid), w.description, w.name, '[]', CAST(:cron AS text), CAST(:every AS float8), now(),
       due.at, due.at, 'system', 'system'
FROM workflows w CROSS JOIN (SELECT {} AS at) AS due
WHERE w.name = :name AND w.deleted_at IS NULL
"""
# One that has processes has to stay.
RETIRE = text("""
UPDATE workflows w SET deleted_at = now() WHERE w.workflow_id = CAST(:workflow_id AS uuid)
  AND EXISTS (SELECT FROM processes p WHERE p.workflow_id = w.workflow_id)
""")
DELETE = text("DELETE FROM workflows WHERE workflow_id = CAST(:workflow_id AS uuid) AND deleted_at IS NULL")
DELETE_SCHEDULES = text("DELETE FROM schedules WHERE workflow_name = :name")
UNLINK = text("DELETE FROM products_workflows WHERE workflow_id = CAST(:workflow_id AS uuid)")


def upgrade() -> None:
    connection = op.get_bind()
    for workflow_id, name, target, is_task, description in WORKFLOWS:
        values = {"workflow_id": workflow_id, "name": name, "target": target, "is_task": is_task}
        connection.execute(INSERT_WORKFLOW, {**values, "description": description})
    connection.execute(LINK_NOTE)
    for schedule_id, name, cron, every, due in SCHEDULES:
        statement = text(INSERT_SCHEDULE.format(due))
        connection.execute(statement, {"schedule_id": schedule_id, "name": name, "cron": cron, "every": every})


def downgrade() -> None:
    connection = op.get_bind()
    for workflow_id, name, *_ in WORKFLOWS:
        connection.execute(UNLINK, {"workflow_id": workflow_id})
        connection.execute(RETIRE, {"workflow_id": workflow_id})
        connection.execute(DELETE, {"workflow_id": workflow_id})
        connection.execute(DELETE_SCHEDULES, {"name": name})
