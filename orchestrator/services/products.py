"""Products, product blocks and resource types: look at them, and change what people may change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session, selectinload

from orchestrator.errors import ProductInUseError, ProductNotFoundError
from orchestrator.language.vocabulary import Actor
from orchestrator.services.catalog_rows import change_row, find_row
from orchestrator.services.catalog_views import (
    BlockView,
    ProductView,
    ResourceTypeView,
    block_view,
    product_view,
    resource_type_view,
)
from orchestrator.services.context import Context
from orchestrator.services.lists import Field, Kind, ListDefinition, ListQuery, Page, list_page
from orchestrator.storage.tables import ProductBlockTable, ProductTable, ResourceTypeTable, SubscriptionTable

END_OF_LIFE: Final = "end of life"
PRODUCT_STATUSES: Final = ("active", "pre production", "phase out", END_OF_LIFE)

PRODUCT_LIST = ListDefinition(
    "products",
    select(ProductTable),
    {
        "product_id": Field(ProductTable.product_id, Kind.UUID),
        "name": Field(ProductTable.name, Kind.TEXT),
        "description": Field(ProductTable.description, Kind.TEXT),
        "product_type": Field(ProductTable.product_type, Kind.WORD),
        "tag": Field(ProductTable.tag, Kind.WORD),
        "status": Field(ProductTable.status, Kind.WORD, words=PRODUCT_STATUSES),
        "created_at": Field(ProductTable.created_at, Kind.TIME),
        "end_date": Field(ProductTable.end_date, Kind.TIME),
    },
    tie=ProductTable.name,
    newest_first=False,
    options=(
        selectinload(ProductTable.product_blocks).selectinload(ProductBlockTable.resource_types),
        selectinload(ProductTable.fixed_inputs),
        selectinload(ProductTable.workflows),
    ),
)

BLOCK_LIST = ListDefinition(
    "product_blocks",
    select(ProductBlockTable),
    {
        "product_block_id": Field(ProductBlockTable.product_block_id, Kind.UUID),
        "name": Field(ProductBlockTable.name, Kind.TEXT),
        "description": Field(ProductBlockTable.description, Kind.TEXT),
        "tag": Field(ProductBlockTable.tag, Kind.WORD),
        "status": Field(ProductBlockTable.status, Kind.WORD, words=PRODUCT_STATUSES),
        "created_at": Field(ProductBlockTable.created_at, Kind.TIME),
        "end_date": Field(ProductBlockTable.end_date, Kind.TIME),
    },
    tie=ProductBlockTable.name,
    newest_first=False,
    options=(selectinload(ProductBlockTable.resource_types),),
)

RESOURCE_TYPE_LIST = ListDefinition(
    "resource_types",
    select(ResourceTypeTable),
    {
        "resource_type_id": Field(ResourceTypeTable.resource_type_id, Kind.UUID),
        "resource_type": Field(ResourceTypeTable.resource_type, Kind.TEXT),
        "description": Field(ResourceTypeTable.description, Kind.TEXT),
    },
    tie=ResourceTypeTable.resource_type,
    newest_first=False,
)


def list_products(
    context: Context, query: ListQuery, *, tag: str | None = None, product_type: str | None = None
) -> Page[ProductView]:
    """Products by name; those with exactly this tag and type when they are given.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    definition = PRODUCT_LIST
    if tag is not None:
        definition = definition.where(ProductTable.tag == tag)
    if product_type is not None:
        definition = definition.where(ProductTable.product_type == product_type)
    with context.database.reading() as session:
        return list_page(session, definition, query).map(lambda row: product_view(row[0]))


def product_detail(context: Context, product_id: UUID) -> ProductView:
    """One product.

    Raises:
        ProductNotFoundError: there is none of this id.
    """
    with context.database.reading() as session:
        return product_view(_find_product(session, product_id))


def change_product(
    context: Context, actor: Actor, product_id: UUID, changes: Mapping[str, Any], *, request_id: str | None = None
) -> ProductView:
    """Change a product's `description` and `status`.

    Raises:
        ProductNotFoundError: there is none of this id.
        ProductInUseError: its life is to end, but it has subscriptions that are not terminated.
    """
    with context.database.transaction(actor.name) as session:
        row = session.get(ProductTable, product_id, with_for_update=True)
        if row is None:
            raise ProductNotFoundError(f"there is no product {product_id}")
        status = changes.get("status", row.status)
        if status == END_OF_LIFE and row.status != END_OF_LIFE:
            _require_unused(session, row)
            row.end_date = session.execute(select(func.now())).scalar_one()
        elif status != END_OF_LIFE and row.status == END_OF_LIFE:
            row.end_date = None
        change_row(session, actor, row, "product", product_id, changes, request_id)
        session.flush()
        return product_view(_find_product(session, product_id))


def list_product_blocks(context: Context, query: ListQuery) -> Page[BlockView]:
    """Product blocks by name.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        return list_page(session, BLOCK_LIST, query).map(lambda row: block_view(row[0]))


def product_block_detail(context: Context, product_block_id: UUID) -> BlockView:
    """One product block.

    Raises:
        NotFoundError: there is none of this id.
    """
    with context.database.reading() as session:
        return block_view(find_row(session, ProductBlockTable, "product block", product_block_id))


def change_product_block(
    context: Context, actor: Actor, product_block_id: UUID, changes: Mapping[str, Any], *, request_id: str | None = None
) -> BlockView:
    """Change a product block's `description`.

    Raises:
        NotFoundError: there is none of this id.
    """
    with context.database.transaction(actor.name) as session:
        row = find_row(session, ProductBlockTable, "product block", product_block_id)
        change_row(session, actor, row, "product block", product_block_id, changes, request_id)
        return block_view(row)


def list_resource_types(context: Context, query: ListQuery) -> Page[ResourceTypeView]:
    """Resource types by name.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        return list_page(session, RESOURCE_TYPE_LIST, query).map(lambda row: resource_type_view(row[0]))


def resource_type_detail(context: Context, resource_type_id: UUID) -> ResourceTypeView:
    """One resource type.

    Raises:
        NotFoundError: there is none of this id.
    """
    with context.database.reading() as session:
        return resource_type_view(find_row(session, ResourceTypeTable, "resource type", resource_type_id))


def change_resource_type(
    context: Context, actor: Actor, resource_type_id: UUID, changes: Mapping[str, Any], *, request_id: str | None = None
) -> ResourceTypeView:
    """Change a resource type's `description`.

    Raises:
        NotFoundError: there is none of this id.
    """
    with context.database.transaction(actor.name) as session:
        row = find_row(session, ResourceTypeTable, "resource type", resource_type_id)
        change_row(session, actor, row, "resource type", resource_type_id, changes, request_id)
        return resource_type_view(row)


def _find_product(session: Session, product_id: UUID) -> ProductTable:
    statement = PRODUCT_LIST.statement.where(ProductTable.product_id == product_id).options(*PRODUCT_LIST.options)
    row: ProductTable | None = session.execute(statement).scalar_one_or_none()
    if row is None:
        raise ProductNotFoundError(f"there is no product {product_id}")
    return row


def _require_unused(session: Session, row: ProductTable) -> None:
    used = session.execute(
        select(func.count())
        .select_from(SubscriptionTable)
        .where(SubscriptionTable.product_id == row.product_id, SubscriptionTable.status != "terminated")
    ).scalar_one()
    if used:
        raise ProductInUseError(
            f"the product {row.name!r} has subscriptions that are not terminated ({used}); terminate them first"
        )
