"""Indexes for lists of a million processes and for what deletes old ones; autovacuum of tables that grow."""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

revision = "schema_0011"
down_revision = "schema_0010"
branch_labels = None
depends_on = None

Index = tuple[str, str, list[str], str | None, list[str]]

# None of a column that each step changes: an update of such a one could not stay on its page (HOT).
INDEXES: tuple[Index, ...] = (
    ("ix_processes_status_seq_is_task", "processes", ["status", "seq"], None, ["is_task"]),
    ("ix_processes_started_at_seq", "processes", ["started_at", "seq"], None, []),
    ("ix_processes_target_started_at_seq", "processes", ["target", "started_at", "seq"], None, []),
    ("ix_processes_waiting_for_seq", "processes", ["waiting_for", "seq"], "waiting_for IS NOT NULL", []),
    ("ix_processes_assignee_seq", "processes", ["assignee", "seq"], "assignee <> 'SYSTEM'", []),
    ("ix_processes_paused", "processes", ["seq"], "paused", []),
    ("ix_processes_failed_reason", "processes", ["seq"], "failed_reason IS NOT NULL", []),
    ("ix_processes_note", "processes", ["seq"], "note IS NOT NULL", []),
    ("ix_subscriptions_start_date_seq", "subscriptions", ["start_date", "seq"], None, []),
    ("ix_audit_at_audit_id", "audit", ["at", "audit_id"], None, []),
    ("ix_audit_action_audit_id", "audit", ["action", "audit_id"], None, []),
    ("ix_audit_request_id", "audit", ["request_id"], "request_id IS NOT NULL", []),
)
# What these did, two of the new ones do.
REPLACED: tuple[Index, ...] = (
    ("ix_processes_status_seq", "processes", ["status", "seq"], None, []),
    ("ix_processes_waiting_for_children", "processes", ["seq"], "waiting_for = 'children'", []),
)
# Shares of a table that may be dead, new or changed before it is vacuumed or analyzed; a fifth and a tenth by default,
# which is a lot of a large table.
OPTIONS = ("autovacuum_vacuum_scale_factor", "autovacuum_vacuum_insert_scale_factor", "autovacuum_analyze_scale_factor")
GROWING = (
    "process_steps",
    "process_starts",
    "process_inputs",
    "process_subscriptions",
    "subscriptions",
    "subscription_instances",
    "subscription_changes",
    "audit",
)


def upgrade() -> None:
    for table, share in (("processes", "0.02"), *((name, "0.05") for name in GROWING)):
        op.execute(f"ALTER TABLE {table} SET ({', '.join(f'{option} = {share}' for option in OPTIONS)})")
    op.execute("ALTER TABLE processes SET (toast.autovacuum_vacuum_scale_factor = 0.05)")
    _replace(REPLACED, INDEXES)


def downgrade() -> None:
    _replace(INDEXES, REPLACED)
    op.execute("ALTER TABLE processes RESET (toast.autovacuum_vacuum_scale_factor)")
    for table in ("processes", *GROWING):
        op.execute(f"ALTER TABLE {table} RESET ({', '.join(OPTIONS)})")


def _replace(old: tuple[Index, ...], new: tuple[Index, ...]) -> None:
    with op.get_context().autocommit_block():
        for name, table, columns, where, included in new:
            # One that was interrupted is there, and of no use.
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            op.create_index(
                name,
                table,
                columns,
                postgresql_where=None if where is None else text(where),
                postgresql_include=included,
                postgresql_concurrently=True,
            )
        for name, *_ in old:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
