"""Products in data revisions: their rows, fixed inputs and links to blocks.

What is created must not exist yet, so that its deletion cannot take what an earlier revision made. What is to be
deleted and is not there is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, delete, func, insert, select, update
from uuid_utils.compat import uuid7

from orchestrator.errors import DataRevisionError
from orchestrator.language.vocabulary import ON_EVERY_PRODUCT
from orchestrator.migrations.parameters import Described, ProductChanges, ProductParameters, read
from orchestrator.migrations.rows import block_id_of, described, insert_new, link, name_in, product_id_of
from orchestrator.storage.tables import (
    FixedInputTable,
    ProductBlockTable,
    ProductTable,
    SubscriptionTable,
    WorkflowTable,
    product_product_blocks,
    products_workflows,
)

_ON_EVERY_PRODUCT = (WorkflowTable.name.in_(ON_EVERY_PRODUCT), WorkflowTable.deleted_at.is_(None))
_COLUMNS = {"name", "product_type", "tag", "description", "status"}


def create_product(conn: Connection, params: Mapping[str, Any] | None = None, /, **keywords: Any) -> UUID:
    """Create a product, with the built-in workflow `modify_note`, and return its id.

    The dict (or the keywords) says `name`, `product_type`, `tag`, and may say `description`, `status`, `product_id`,
    `fixed_inputs` (as for `create_fixed_inputs`) and `product_blocks` (names of blocks that exist).

    Raises:
        DataRevisionError: the dict is wrong, the product exists, or a block does not.
    """
    wanted = read(ProductParameters, params, keywords)
    product_id = wanted.product_id or uuid7()
    insert_new(conn, ProductTable, "product", {"product_id": product_id, **wanted.model_dump(include=_COLUMNS)})
    create_fixed_inputs(conn, product_id, wanted.fixed_inputs)
    link_product_blocks(conn, product_id, wanted.product_blocks)
    for workflow_id in conn.execute(select(WorkflowTable.workflow_id).where(*_ON_EVERY_PRODUCT)).scalars():
        link(conn, products_workflows, product_id=product_id, workflow_id=workflow_id)
    return product_id


def delete_product(conn: Connection, params: Mapping[str, Any] | None = None, /, **keywords: Any) -> None:
    """Delete the product of that `name`, its fixed inputs and its links to blocks and workflows.

    The dict may be the one that the product was created with.

    Raises:
        DataRevisionError: the product has subscriptions.
    """
    name = name_in(params, keywords)
    count = conn.execute(
        select(func.count()).select_from(SubscriptionTable).join(ProductTable).where(ProductTable.name == name)
    ).scalar_one()
    if count:
        raise DataRevisionError(f"The product {name!r} cannot be deleted: it has subscriptions ({count}).")
    conn.execute(delete(ProductTable).where(ProductTable.name == name))


def update_product(conn: Connection, product: UUID | str, **changes: str) -> None:
    """Give a product (id or name) another `product_type`, `tag`, `description` or `status`.

    Raises:
        DataRevisionError: there is no such product, or something else is to be changed.
    """
    wanted = read(ProductChanges, changes, {}).model_dump(exclude_none=True)
    conn.execute(update(ProductTable).where(ProductTable.product_id == product_id_of(conn, product)).values(**wanted))


def create_fixed_inputs(conn: Connection, product: UUID | str, fixed_inputs: Mapping[str, Described]) -> None:
    """Give a product (id or name) fixed inputs: `{name: value}` or, to fix their ids, `{name: (value, id)}`.

    Raises:
        DataRevisionError: there is no such product.
    """
    product_id = product_id_of(conn, product)
    for name, value, fixed_input_id in described(fixed_inputs):
        row = {"fixed_input_id": fixed_input_id, "product_id": product_id, "name": name, "value": value}
        conn.execute(insert(FixedInputTable).values(**row))


def update_fixed_inputs(conn: Connection, product: UUID | str, values: Mapping[str, str]) -> None:
    """Give fixed inputs that a product (id or name) has other values, by their names.

    Raises:
        DataRevisionError: there is no such product, or it has no fixed input of such a name.
    """
    this = FixedInputTable.product_id == product_id_of(conn, product)
    for name, value in values.items():
        changed = conn.execute(update(FixedInputTable).where(this, FixedInputTable.name == name).values(value=value))
        if not changed.rowcount:
            raise DataRevisionError(f"The product {str(product)!r} has no fixed input {name!r}.")


def delete_fixed_inputs(conn: Connection, product: UUID | str, names: Iterable[str]) -> None:
    """Take these fixed inputs from a product (id or name).

    Raises:
        DataRevisionError: there is no such product.
    """
    this = FixedInputTable.product_id == product_id_of(conn, product)
    conn.execute(delete(FixedInputTable).where(this, FixedInputTable.name.in_(list(names))))


def link_product_blocks(conn: Connection, product: UUID | str, blocks: Iterable[str]) -> None:
    """Make these blocks part of a product (id or name).

    Raises:
        DataRevisionError: there is no such product or block.
    """
    product_id = product_id_of(conn, product)
    for name in blocks:
        link(conn, product_product_blocks, product_id=product_id, product_block_id=block_id_of(conn, name))


def unlink_product_blocks(conn: Connection, product: UUID | str, blocks: Iterable[str]) -> None:
    """Take these blocks from a product (id or name).

    Raises:
        DataRevisionError: there is no such product.
    """
    ids = select(ProductBlockTable.product_block_id).where(ProductBlockTable.name.in_(list(blocks)))
    conn.execute(
        delete(product_product_blocks).where(
            product_product_blocks.c.product_id == product_id_of(conn, product),
            product_product_blocks.c.product_block_id.in_(ids),
        )
    )
