"""What a data revision takes out of the catalog, kept as it was, so that going down gives back exactly that."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, Table, func, select, text, update
from uuid_utils.compat import uuid7

from orchestrator.errors import DataRevisionError
from orchestrator.migrations.product_blocks import (
    create_resource_types,
    delete_product_block,
    delete_resource_types,
    link_resource_types,
    unlink_resource_types,
)
from orchestrator.migrations.products import delete_fixed_inputs, delete_product
from orchestrator.migrations.rows import block_id_of, product_id_of, resource_type_id_of
from orchestrator.migrations.values import give_back_values, state_type, take_values
from orchestrator.storage.tables import Base, WorkflowTable

# Rows come back in this order, for those that refer to others.
_TABLES: Final = (
    "resource_types",
    "product_blocks",
    "product_block_resource_types",
    "product_block_relations",
    "products",
    "fixed_inputs",
    "product_product_blocks",
    "products_workflows",
)
_KEEP: Final = """
INSERT INTO retired_rows (revision, subject, table_name, row)
SELECT :revision, :subject, '{table}', to_jsonb(t) FROM {table} t WHERE {condition}
"""
_LACKING: Final = text("""
SELECT count(*) FROM subscription_instances i JOIN subscriptions s USING (subscription_id)
WHERE i.product_block_id = :id AND s.status = ANY(:statuses)
  AND coalesce(i."values" -> CAST(:name AS text), 'null') = 'null'
""")
_ORPHANS: Final = """
resource_type_id IN (
    SELECT l.resource_type_id FROM product_block_resource_types l
    WHERE l.product_block_id = :id {more}
      AND NOT EXISTS (SELECT FROM product_block_resource_types o
                      WHERE o.resource_type_id = l.resource_type_id AND o.product_block_id <> :id))
"""


def add_resource_type(
    conn: Connection,
    revision: str,
    block: str,
    name: str,
    value_type: str,
    *,
    description: str = "",
    resource_type_id: UUID | None = None,
    needed_in: Iterable[str] = (),
) -> None:
    """Give a block a resource type, and subscriptions the values of it that an earlier way down took.

    Args:
        conn: of the revision.
        revision: its id.
        block: the name of the block.
        name: of the resource type, which is made unless another block has it.
        value_type: the name of its type, like `int`.
        description: of a new resource type.
        resource_type_id: of a new resource type.
        needed_in: the statuses of subscriptions in which there must be a value already.

    Raises:
        DataRevisionError: there is no such block, or subscriptions lack a value that they need.
    """
    create_resource_types(conn, {name: (description, resource_type_id or uuid7())})
    link_resource_types(conn, block, [name])
    state_type(conn, block, name, value_type)
    give_back_values(conn, revision, block, name)
    words = {"id": block_id_of(conn, block), "name": name, "statuses": list(needed_in)}
    if lacking := conn.execute(_LACKING, words).scalar_one():
        raise DataRevisionError(
            f"{lacking} blocks {block!r} of live subscriptions need a value of {name!r}: let the revision call "
            f"fill_values(conn, {block!r}, {name!r}, ...) instead of naming needed_in."
        )


def withdraw_resource_type(conn: Connection, revision: str, block: str, name: str) -> None:
    """Take back what `add_resource_type` did; the values that were entered since are kept for the next way up.

    Raises:
        DataRevisionError: there is no such block.
    """
    take_values(conn, revision, block, name)
    unlink_resource_types(conn, block, [name])
    delete_resource_types(conn, [name])


def retire_product(conn: Connection, revision: str, name: str) -> None:
    """Take out a product, its fixed inputs and its links.

    Raises:
        DataRevisionError: there is no such product, or it has subscriptions.
    """
    subject, words = f"product {name}", {"id": product_id_of(conn, name)}
    for table in ("products", "fixed_inputs", "product_product_blocks", "products_workflows"):
        _keep(conn, revision, subject, table, "product_id = :id", words)
    delete_product(conn, name=name)


def retire_product_block(conn: Connection, revision: str, name: str) -> None:
    """Take out a product block, its relations, and its resource types that no other block has.

    Raises:
        DataRevisionError: there is no such block, or it is part of a product or of a subscription.
    """
    subject, words = f"product block {name}", {"id": block_id_of(conn, name)}
    _keep(conn, revision, subject, "resource_types", _ORPHANS.format(more=""), words)
    _keep(conn, revision, subject, "product_blocks", "product_block_id = :id", words)
    _keep(conn, revision, subject, "product_block_resource_types", "product_block_id = :id", words)
    _keep(conn, revision, subject, "product_block_relations", "in_use_by_id = :id OR depends_on_id = :id", words)
    delete_product_block(conn, name=name)


def retire_resource_type(conn: Connection, revision: str, block: str, name: str) -> None:
    """Take a resource type from a block, and its values from subscriptions; all of them are kept.

    Raises:
        DataRevisionError: there is no such block or resource type.
    """
    subject = f"resource type {block}.{name}"
    words = {"id": block_id_of(conn, block), "type_id": resource_type_id_of(conn, name)}
    orphan = _ORPHANS.format(more="AND l.resource_type_id = :type_id")
    _keep(conn, revision, subject, "resource_types", orphan, words)
    this = "product_block_id = :id AND resource_type_id = :type_id"
    _keep(conn, revision, subject, "product_block_resource_types", this, words)
    take_values(conn, revision, block, name)
    unlink_resource_types(conn, block, [name])
    delete_resource_types(conn, [name])


def retire_fixed_input(conn: Connection, revision: str, product: str, name: str) -> None:
    """Take a fixed input from a product.

    Raises:
        DataRevisionError: there is no such product.
    """
    words = {"id": product_id_of(conn, product), "name": name}
    subject = f"fixed input {product}.{name}"
    _keep(conn, revision, subject, "fixed_inputs", "product_id = :id AND name = :name", words)
    delete_fixed_inputs(conn, product, [name])


def retire_workflow(conn: Connection, revision: str, name: str) -> None:
    """Take a workflow from its products and mark it as deleted; its row stays, for the processes that ran it.

    Raises:
        DataRevisionError: there is no such workflow.
    """
    this = WorkflowTable.name == name
    workflow_id = conn.execute(
        select(WorkflowTable.workflow_id).where(this, WorkflowTable.deleted_at.is_(None))
    ).scalar_one_or_none()
    if workflow_id is None:
        raise DataRevisionError(f"There is no workflow {name!r}.")
    words = {"id": workflow_id}
    _keep(conn, revision, f"workflow {name}", "products_workflows", "workflow_id = :id", words)
    conn.execute(text("DELETE FROM products_workflows WHERE workflow_id = :id"), words)
    conn.execute(update(WorkflowTable).where(WorkflowTable.workflow_id == workflow_id).values(deleted_at=func.now()))


def restore_product(conn: Connection, revision: str, name: str) -> None:
    """Give back what `retire_product` took with the same words."""
    _restore(conn, revision, f"product {name}")


def restore_product_block(conn: Connection, revision: str, name: str) -> None:
    """Give back what `retire_product_block` took with the same words."""
    _restore(conn, revision, f"product block {name}")


def restore_resource_type(conn: Connection, revision: str, block: str, name: str) -> None:
    """Give back what `retire_resource_type` took with the same words, values included."""
    _restore(conn, revision, f"resource type {block}.{name}")
    give_back_values(conn, revision, block, name)


def restore_fixed_input(conn: Connection, revision: str, product: str, name: str) -> None:
    """Give back what `retire_fixed_input` took with the same words."""
    _restore(conn, revision, f"fixed input {product}.{name}")


def restore_workflow(conn: Connection, revision: str, name: str) -> None:
    """Give back what `retire_workflow` took with the same words."""
    newest = (
        select(WorkflowTable.workflow_id)
        .where(WorkflowTable.name == name)
        .order_by(WorkflowTable.deleted_at.desc().nulls_first())
        .limit(1)
        .scalar_subquery()
    )
    conn.execute(update(WorkflowTable).where(WorkflowTable.workflow_id == newest).values(deleted_at=None))
    _restore(conn, revision, f"workflow {name}")


def _keep(conn: Connection, revision: str, subject: str, table: str, condition: str, words: dict[str, Any]) -> None:
    statement = text(_KEEP.format(table=table, condition=condition))
    conn.execute(statement, {"revision": revision, "subject": subject, **words})


def _restore(conn: Connection, revision: str, subject: str) -> None:
    words = {"revision": revision, "subject": subject}
    for table in _TABLES:
        names = ", ".join(f'"{column}"' for column in _columns(conn, table, words))
        if names:
            conn.execute(
                text(
                    f"INSERT INTO {table} ({names}) SELECT {names} FROM retired_rows r, "  # noqa: S608 - names of ours
                    f"LATERAL jsonb_populate_record(NULL::{table}, r.row) WHERE r.revision = :revision "
                    f"AND r.subject = :subject AND r.table_name = '{table}' ORDER BY retired_row_id "
                    "ON CONFLICT DO NOTHING"
                ),
                words,
            )
    conn.execute(text("DELETE FROM retired_rows WHERE revision = :revision AND subject = :subject"), words)


def _columns(conn: Connection, table: str, words: dict[str, Any]) -> list[str]:
    # A column that is younger than the row keeps its default.
    keys = text(
        "SELECT DISTINCT k FROM retired_rows r, jsonb_object_keys(r.row) k WHERE r.revision = :revision "
        "AND r.subject = :subject AND r.table_name = :table_name"
    )
    known: Table = Base.metadata.tables[table]
    return sorted(key for key in conn.execute(keys, {**words, "table_name": table}).scalars() if key in known.c)
