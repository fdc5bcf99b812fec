"""New names in data revisions: the rows keep their ids, and all that belongs to them."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, text, update
from uuid_utils.compat import uuid7

from orchestrator.errors import DataRevisionError
from orchestrator.migrations.product_blocks import delete_resource_types
from orchestrator.migrations.rows import block_id_of, product_id_of, resource_type_id_of
from orchestrator.migrations.values import blocks_with, rename_values
from orchestrator.storage.tables import (
    Base,
    FixedInputTable,
    ProductBlockTable,
    ProductTable,
    ResourceTypeTable,
    ScheduleTable,
    WorkflowTable,
    product_block_resource_types,
)

# Processes find their workflow by the name in the version that they are pinned to.
_RENAME_VERSIONS: Final = text("""
UPDATE workflow_versions v SET workflow_name = :new
WHERE workflow_name = :old
  AND NOT EXISTS (SELECT FROM workflow_versions o WHERE o.workflow_name = :new AND o.hash = v.hash)
""")


def rename_product(conn: Connection, old: str, new: str) -> None:
    """Give a product another name.

    Raises:
        DataRevisionError: there is no product of the old name, or one of the new.
    """
    _rename(conn, ProductTable, ProductTable.name, "product", old, new)


def rename_product_block(conn: Connection, old: str, new: str) -> None:
    """Give a product block another name.

    Raises:
        DataRevisionError: there is no block of the old name, or one of the new.
    """
    _rename(conn, ProductBlockTable, ProductBlockTable.name, "product block", old, new)


def rename_workflow(conn: Connection, old: str, new: str) -> None:
    """Give a workflow another name; its processes and schedules go on under it.

    Raises:
        DataRevisionError: there is no workflow of the old name, or one of the new.
    """
    _rename(conn, WorkflowTable, WorkflowTable.name, "workflow", old, new, WorkflowTable.deleted_at.is_(None))
    conn.execute(_RENAME_VERSIONS, {"old": old, "new": new})
    conn.execute(update(ScheduleTable).where(ScheduleTable.workflow_name == old).values(workflow_name=new))


def rename_fixed_input(conn: Connection, product: str, old: str, new: str) -> None:
    """Give a fixed input of a product another name.

    Raises:
        DataRevisionError: there is no such product, no fixed input of the old name, or one of the new.
    """
    this = FixedInputTable.product_id == product_id_of(conn, product)
    _rename(conn, FixedInputTable, FixedInputTable.name, f"fixed input of {product!r}", old, new, this)


def rename_resource_type(
    conn: Connection, block: str, old: str, new: str, resource_type_id: UUID | None = None
) -> None:
    """Give a resource type of a block another name, and the values of subscriptions, too.

    The row is renamed, unless other blocks have the old resource type, or the new one is there: then the block gets
    the new one instead, which is made if need be: with the id that is given, and the description of the old one.

    Raises:
        DataRevisionError: there is no such block, it does not have the old resource type, or has the new one.
    """
    block_id = block_id_of(conn, block)
    users, present = blocks_with(conn, old), _find_type(conn, new)
    if block not in users:
        raise DataRevisionError(f"The product block {block!r} has no resource type {old!r}.")
    if block in blocks_with(conn, new):
        raise DataRevisionError(f"The product block {block!r} has a resource type {new!r} already.")
    if users == [block] and present is None:
        this = ResourceTypeTable.resource_type == old
        conn.execute(update(ResourceTypeTable).where(this).values(resource_type=new))
    else:
        new_id = present or resource_type_id or uuid7()
        if present is None:
            said = conn.execute(select(ResourceTypeTable.description).where(ResourceTypeTable.resource_type == old))
            row = {"resource_type_id": new_id, "resource_type": new, "description": said.scalar_one()}
            conn.execute(insert(ResourceTypeTable).values(**row))
        links = product_block_resource_types
        this_link = (
            links.c.product_block_id == block_id,
            links.c.resource_type_id == resource_type_id_of(conn, old),
        )
        value_type = conn.execute(select(links.c.value_type).where(*this_link)).scalar_one()
        conn.execute(delete(links).where(*this_link))
        conn.execute(insert(links).values(product_block_id=block_id, resource_type_id=new_id, value_type=value_type))
        delete_resource_types(conn, [old])
    rename_values(conn, block, old, new)


def _find_type(conn: Connection, name: str) -> UUID | None:
    this = ResourceTypeTable.resource_type == name
    return conn.execute(select(ResourceTypeTable.resource_type_id).where(this)).scalar_one_or_none()


def _rename(conn: Connection, table: type[Base], column: Any, what: str, old: str, new: str, *conditions: Any) -> None:
    if conn.execute(select(func.count()).select_from(table).where(column == new, *conditions)).scalar_one():
        raise DataRevisionError(f"There is a {what} {new!r} already.")
    changed = conn.execute(update(table).where(column == old, *conditions).values({column: new}))
    if changed.rowcount != 1:
        raise DataRevisionError(f"There is no {what} {old!r}.")
