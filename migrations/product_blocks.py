"""Product blocks in data revisions: their rows, their resource types, and which may refer to which.

A block that is created must not exist yet; resource types are shared between blocks. What is to be deleted and is not
there is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, exists, select
from sqlalchemy.dialects.postgresql import insert as insert_or_skip
from uuid_utils.compat import uuid7

from orchestrator.errors import DataRevisionError
from orchestrator.migrations.parameters import Described, ProductBlockParameters, read
from orchestrator.migrations.rows import block_id_of, described, insert_new, link, name_in, resource_type_id_of
from orchestrator.migrations.values import state_type
from orchestrator.storage.tables import (
    ProductBlockRelationTable,
    ProductBlockTable,
    ProductTable,
    ResourceTypeTable,
    SubscriptionInstanceTable,
    product_block_resource_types,
    product_product_blocks,
)

_COLUMNS = {"name", "description", "tag", "status"}


def create_product_block(conn: Connection, params: Mapping[str, Any] | None = None, /, **keywords: Any) -> UUID:
    """Create a product block and return its id.

    The dict (or the keywords) says `name`, and may say `description`, `tag`, `status`, `product_block_id`,
    `resource_types` (names, or as for `create_resource_types`), `value_types` (names of their types, like `int`) and
    `depends_on` (names of the blocks that it may refer to, itself included).

    Raises:
        DataRevisionError: the dict is wrong, the block exists, or one that it depends on does not.
    """
    wanted = read(ProductBlockParameters, params, keywords)
    block_id = wanted.product_block_id or uuid7()
    values = {"product_block_id": block_id, **wanted.model_dump(include=_COLUMNS)}
    insert_new(conn, ProductBlockTable, "product block", values)
    types = wanted.resource_types
    create_resource_types(conn, types if isinstance(types, dict) else dict.fromkeys(types, ""))
    link_resource_types(conn, wanted.name, types)
    for name, value_type in wanted.value_types.items():
        state_type(conn, wanted.name, name, value_type)
    relate_product_blocks(conn, wanted.name, wanted.depends_on)
    return block_id


def delete_product_block(conn: Connection, params: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
    """Delete the product block of that `name`, its relations, and those of its resource types that no block has then.

    The dict may be the one that the block was created with.

    Raises:
        DataRevisionError: the block is part of a product or of a subscription.
    """
    name = name_in(params, keywords)
    this = ProductBlockTable.name == name
    products = conn.execute(
        select(ProductTable.name)
        .join(product_product_blocks)
        .join(ProductBlockTable)
        .where(this)
        .order_by(ProductTable.name)
    ).scalars()
    if users := ", ".join(map(repr, products)):
        raise DataRevisionError(f"The product block {name!r} cannot be deleted: it is part of {users}.")
    instances = exists().where(this, SubscriptionInstanceTable.product_block_id == ProductBlockTable.product_block_id)
    if conn.execute(select(instances)).scalar_one():
        raise DataRevisionError(f"The product block {name!r} cannot be deleted: there are subscriptions with it.")
    types = conn.execute(
        select(ResourceTypeTable.resource_type).join(product_block_resource_types).join(ProductBlockTable).where(this)
    ).scalars()
    left_over = list(types)
    conn.execute(delete(ProductBlockTable).where(this))
    delete_resource_types(conn, left_over)


def create_resource_types(conn: Connection, resource_types: Mapping[str, Described]) -> None:
    """Create those that do not exist yet: `{name: description}` or, to fix their ids, `{name: (description, id)}`."""
    for name, description, resource_type_id in described(resource_types):
        conn.execute(
            insert_or_skip(ResourceTypeTable)
            .values(resource_type_id=resource_type_id, resource_type=name, description=description)
            .on_conflict_do_nothing(index_elements=["resource_type"])
        )


def delete_resource_types(conn: Connection, names: Iterable[str]) -> None:
    """Delete those of these resource types that no block has."""
    used = exists().where(product_block_resource_types.c.resource_type_id == ResourceTypeTable.resource_type_id)
    conn.execute(delete(ResourceTypeTable).where(ResourceTypeTable.resource_type.in_(list(names)), ~used))


def link_resource_types(conn: Connection, block: str, names: Iterable[str]) -> None:
    """Give a block these resource types.

    Raises:
        DataRevisionError: there is no such block or resource type.
    """
    block_id = block_id_of(conn, block)
    for name in names:
        type_id = resource_type_id_of(conn, name)
        link(conn, product_block_resource_types, product_block_id=block_id, resource_type_id=type_id)


def unlink_resource_types(conn: Connection, block: str, names: Iterable[str]) -> None:
    """Take these resource types from a block; they themselves stay, and so do the values in subscriptions.

    Raises:
        DataRevisionError: there is no such block.
    """
    ids = select(ResourceTypeTable.resource_type_id).where(ResourceTypeTable.resource_type.in_(list(names)))
    conn.execute(
        delete(product_block_resource_types).where(
            product_block_resource_types.c.product_block_id == block_id_of(conn, block),
            product_block_resource_types.c.resource_type_id.in_(ids),
        )
    )


def relate_product_blocks(conn: Connection, in_use_by: str, depends_on: Iterable[str]) -> None:
    """Let blocks of the first kind refer to blocks of these kinds.

    Raises:
        DataRevisionError: there is no such block.
    """
    user_id = block_id_of(conn, in_use_by)
    for name in depends_on:
        link(conn, ProductBlockRelationTable, in_use_by_id=user_id, depends_on_id=block_id_of(conn, name))


def unrelate_product_blocks(conn: Connection, in_use_by: str, depends_on: Iterable[str]) -> None:
    """Take back what `relate_product_blocks` did.

    Raises:
        DataRevisionError: there is no block of the first name.
    """
    ids = select(ProductBlockTable.product_block_id).where(ProductBlockTable.name.in_(list(depends_on)))
    conn.execute(
        delete(ProductBlockRelationTable).where(
            ProductBlockRelationTable.in_use_by_id == block_id_of(conn, in_use_by),
            ProductBlockRelationTable.depends_on_id.in_(ids),
        )
    )
