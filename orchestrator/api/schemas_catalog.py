"""Products, blocks, resource types and workflows on the wire."""

from __future__ import annotations

from marshmallow import Schema, fields, validate

from orchestrator.api.lists import ListParameters
from orchestrator.api.schemas import RequestSchema
from orchestrator.language.vocabulary import Target
from orchestrator.services.products import PRODUCT_STATUSES

MAX_DESCRIPTION = 2000


class ResourceTypeSchema(Schema):
    """A named value that blocks can carry."""

    resource_type_id = fields.UUID(required=True)
    resource_type = fields.String(required=True)
    description = fields.String(required=True)


class ProductBlockSchema(Schema):
    """A kind of block, with its resource types."""

    product_block_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    tag = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(PRODUCT_STATUSES))
    created_at = fields.AwareDateTime(required=True)
    end_date = fields.AwareDateTime(required=True, allow_none=True)
    resource_types = fields.List(fields.Nested(ResourceTypeSchema), required=True)


class FixedInputSchema(Schema):
    """A value that all subscriptions of a product share."""

    fixed_input_id = fields.UUID(required=True)
    name = fields.String(required=True)
    value = fields.String(required=True)
    product_id = fields.UUID(required=True)
    created_at = fields.AwareDateTime(required=True)


class WorkflowSchema(Schema):
    """A workflow."""

    workflow_id = fields.UUID(required=True)
    name = fields.String(required=True)
    target = fields.String(required=True, validate=validate.OneOf([target.value for target in Target]))
    is_task = fields.Boolean(required=True)
    description = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)


class StepSchema(Schema):
    """A step of a workflow. `key` is its stable name, `name` is for people."""

    name = fields.String(required=True)
    key = fields.String(required=True)
    kind = fields.String(required=True)
    assignee = fields.String(required=True)
    group = fields.List(fields.String(), required=True, metadata={"description": "Groups it is in, outermost first"})


class WorkflowDetailSchema(WorkflowSchema):
    """A workflow with its steps; null where this server has no code for it."""

    steps = fields.List(fields.Nested(StepSchema), required=True, allow_none=True)


class ProductSchema(Schema):
    """A product with what it is made of and the workflows that act on its subscriptions."""

    product_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    product_type = fields.String(required=True)
    tag = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(PRODUCT_STATUSES))
    created_at = fields.AwareDateTime(required=True)
    end_date = fields.AwareDateTime(required=True, allow_none=True)
    product_blocks = fields.List(fields.Nested(ProductBlockSchema), required=True)
    fixed_inputs = fields.List(fields.Nested(FixedInputSchema), required=True)
    workflows = fields.List(fields.Nested(WorkflowSchema), required=True)


class ProductListParameters(ListParameters):
    """The parameters of the list of products."""

    tag = fields.String(validate=validate.Length(max=500), metadata={"description": "Exactly this tag"})
    product_type = fields.String(validate=validate.Length(max=500), metadata={"description": "Exactly this type"})


class DescriptionChange(RequestSchema):
    """What can be changed: the description."""

    description = fields.String(validate=validate.Length(max=MAX_DESCRIPTION))


class ProductChange(DescriptionChange):
    """What can be changed of a product. At the end of its life it has no subscriptions that are not terminated."""

    status = fields.String(validate=validate.OneOf(PRODUCT_STATUSES))
