"""What revisions of the branch `data` call to bring products and workflows into the database and to take them out.

    from alembic import op
    from orchestrator.migrations.catalog import create_workflow, delete_workflow

    params_create = dict(
        name="create_node_enrollment",
        target="CREATE",
        description="Create Node Enrollment Service",
        tag="NodeEnrollment",
        search_phrase="Node Enrollment%",
    )

    def upgrade() -> None:
        create_workflow(op.get_bind(), params_create)

    def downgrade() -> None:
        delete_workflow(op.get_bind(), params_create)

Every function takes a SQLAlchemy connection first. Nothing is committed here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from orchestrator.migrations.parameters import CatalogParameters, read
from orchestrator.migrations.product_blocks import (
    create_product_block,
    create_resource_types,
    delete_product_block,
    delete_resource_types,
    link_resource_types,
    relate_product_blocks,
    unlink_resource_types,
    unrelate_product_blocks,
)
from orchestrator.migrations.products import (
    create_fixed_inputs,
    create_product,
    delete_fixed_inputs,
    delete_product,
    link_product_blocks,
    unlink_product_blocks,
    update_fixed_inputs,
    update_product,
)
from orchestrator.migrations.renaming import (
    rename_fixed_input,
    rename_product,
    rename_product_block,
    rename_resource_type,
    rename_workflow,
)
from orchestrator.migrations.retiring import (
    add_resource_type,
    restore_fixed_input,
    restore_product,
    restore_product_block,
    restore_resource_type,
    restore_workflow,
    retire_fixed_input,
    retire_product,
    retire_product_block,
    retire_resource_type,
    retire_workflow,
    withdraw_resource_type,
)
from orchestrator.migrations.values import convert_values, fill_values, give_back_values, state_type, take_values
from orchestrator.migrations.workflows import (
    create_workflow,
    delete_workflow,
    link_workflow,
    unlink_workflow,
    update_workflow,
)

__all__ = [
    "add_resource_type",
    "convert_values",
    "create",
    "create_fixed_inputs",
    "create_product",
    "create_product_block",
    "create_resource_types",
    "create_workflow",
    "delete",
    "delete_fixed_inputs",
    "delete_product",
    "delete_product_block",
    "delete_resource_types",
    "delete_workflow",
    "fill_values",
    "give_back_values",
    "link_product_blocks",
    "link_resource_types",
    "link_workflow",
    "relate_product_blocks",
    "rename_fixed_input",
    "rename_product",
    "rename_product_block",
    "rename_resource_type",
    "rename_workflow",
    "restore_fixed_input",
    "restore_product",
    "restore_product_block",
    "restore_resource_type",
    "restore_workflow",
    "retire_fixed_input",
    "retire_product",
    "retire_product_block",
    "retire_resource_type",
    "retire_workflow",
    "state_type",
    "take_values",
    "unlink_product_blocks",
    "unlink_resource_types",
    "unlink_workflow",
    "unrelate_product_blocks",
    "update_fixed_inputs",
    "update_product",
    "update_workflow",
    "withdraw_resource_type",
]


def create(conn: Connection, catalog: Mapping[str, Any]) -> None:
    """Create all that a dict lists: `resource_types`, `product_blocks`, `products` and `workflows`, each if there.

    `resource_types` is as for `create_resource_types`; the others are lists of the dicts that `create_product_block`,
    `create_product` and `create_workflow` take, or dicts of them by name. Blocks may depend on each other.

    Raises:
        DataRevisionError: the dict is wrong, or as those functions.
    """
    wanted = read(CatalogParameters, catalog, {})
    create_resource_types(conn, wanted.resource_types)
    for block in wanted.product_blocks:
        create_product_block(conn, block.model_dump(exclude={"depends_on"}))
    for block in wanted.product_blocks:
        relate_product_blocks(conn, block.name, block.depends_on)
    for product in wanted.products:
        create_product(conn, product.model_dump())
    for workflow in wanted.workflows:
        create_workflow(conn, workflow.model_dump())


def delete(conn: Connection, catalog: Mapping[str, Any]) -> None:
    """Take back what `create` did with the same dict.

    Raises:
        DataRevisionError: the dict is wrong, or a product or block has subscriptions.
    """
    wanted = read(CatalogParameters, catalog, {})
    for workflow in reversed(wanted.workflows):
        delete_workflow(conn, workflow.model_dump())
    for product in reversed(wanted.products):
        delete_product(conn, name=product.name)
    for block in reversed(wanted.product_blocks):
        delete_product_block(conn, name=block.name)
    delete_resource_types(conn, wanted.resource_types)
