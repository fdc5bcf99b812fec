"""Products, product blocks and resource types."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.lists import ListAnswer, ListParameters, list_answer, list_document, list_query
from orchestrator.api.requests import current_actor, current_context, request_id
from orchestrator.api.schemas_catalog import (
    DescriptionChange,
    ProductBlockSchema,
    ProductChange,
    ProductListParameters,
    ProductSchema,
    ResourceTypeSchema,
)
from orchestrator.services import products
from orchestrator.services.catalog_views import BlockView, ProductView, ResourceTypeView

blueprint = build_blueprint("products", "/products", "What can be subscribed to.")
blocks_blueprint = build_blueprint("product_blocks", "/product_blocks", "What products are made of.")
resource_types_blueprint = build_blueprint("resource_types", "/resource_types", "The values that blocks carry.")


@endpoint(
    blueprint,
    "GET",
    "/",
    response=ProductSchema(many=True),
    query=ProductListParameters,
    document=list_document(products.PRODUCT_LIST),
)
def list_products(query: dict[str, Any]) -> ListAnswer[ProductView]:
    """List products."""
    narrowing = {name: query[name] for name in ("tag", "product_type") if name in query}
    return list_answer(products.list_products(current_context(), list_query(query), **narrowing))


@endpoint(blueprint, "GET", "/<id:product_id>", response=ProductSchema, errors=(404,))
def get_product(product_id: UUID) -> ProductView:
    """Show one product."""
    return products.product_detail(current_context(), product_id)


@endpoint(blueprint, "PATCH", "/<id:product_id>", response=ProductSchema, status=201, body=ProductChange, errors=(404,))
def change_product(product_id: UUID, body: dict[str, Any]) -> ProductView:
    """Change a product's description or status."""
    return products.change_product(current_context(), current_actor(), product_id, body, request_id=request_id())


@endpoint(
    blocks_blueprint,
    "GET",
    "/",
    response=ProductBlockSchema(many=True),
    query=ListParameters,
    document=list_document(products.BLOCK_LIST),
)
def list_product_blocks(query: dict[str, Any]) -> ListAnswer[BlockView]:
    """List product blocks."""
    return list_answer(products.list_product_blocks(current_context(), list_query(query)))


@endpoint(blocks_blueprint, "GET", "/<id:product_block_id>", response=ProductBlockSchema, errors=(404,))
def get_product_block(product_block_id: UUID) -> BlockView:
    """Show one product block."""
    return products.product_block_detail(current_context(), product_block_id)


@endpoint(
    blocks_blueprint,
    "PATCH",
    "/<id:product_block_id>",
    response=ProductBlockSchema,
    status=201,
    body=DescriptionChange,
    errors=(404,),
)
def change_product_block(product_block_id: UUID, body: dict[str, Any]) -> BlockView:
    """Change a product block's description."""
    return products.change_product_block(
        current_context(), current_actor(), product_block_id, body, request_id=request_id()
    )


@endpoint(
    resource_types_blueprint,
    "GET",
    "/",
    response=ResourceTypeSchema(many=True),
    query=ListParameters,
    document=list_document(products.RESOURCE_TYPE_LIST),
)
def list_resource_types(query: dict[str, Any]) -> ListAnswer[ResourceTypeView]:
    """List resource types."""
    return list_answer(products.list_resource_types(current_context(), list_query(query)))


@endpoint(resource_types_blueprint, "GET", "/<id:resource_type_id>", response=ResourceTypeSchema, errors=(404,))
def get_resource_type(resource_type_id: UUID) -> ResourceTypeView:
    """Show one resource type."""
    return products.resource_type_detail(current_context(), resource_type_id)


@endpoint(
    resource_types_blueprint,
    "PATCH",
    "/<id:resource_type_id>",
    response=ResourceTypeSchema,
    status=201,
    body=DescriptionChange,
    errors=(404,),
)
def change_resource_type(resource_type_id: UUID, body: dict[str, Any]) -> ResourceTypeView:
    """Change a resource type's description."""
    return products.change_resource_type(
        current_context(), current_actor(), resource_type_id, body, request_id=request_id()
    )
