"""Subscriptions on the wire."""

from __future__ import annotations

from marshmallow import INCLUDE, Schema, fields, validate

from orchestrator.api.schemas import RequestSchema
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.services.products import PRODUCT_STATUSES

_LIFECYCLES = [status.value for status in SubscriptionLifecycle]


class ProductOfSubscriptionSchema(Schema):
    """The product of a subscription, in short."""

    product_id = fields.UUID(required=True)
    name = fields.String(required=True)
    description = fields.String(required=True)
    product_type = fields.String(required=True)
    tag = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(PRODUCT_STATUSES))


class SubscriptionSchema(Schema):
    """A subscription in a list. `version` counts its changes."""

    subscription_id = fields.UUID(required=True)
    description = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(_LIFECYCLES))
    insync = fields.Boolean(required=True)
    customer_id = fields.String(required=True)
    start_date = fields.AwareDateTime(required=True, allow_none=True)
    end_date = fields.AwareDateTime(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)
    version = fields.Integer(required=True)
    created_at = fields.AwareDateTime(required=True)
    last_modified_at = fields.AwareDateTime(required=True)
    product = fields.Nested(ProductOfSubscriptionSchema, required=True)


class SubscriptionModelSchema(Schema):
    """A subscription as its domain model gives it: besides these, its fixed inputs and blocks under their own names."""

    class Meta:
        """Blocks and fixed inputs are the product's own."""

        unknown = INCLUDE

    subscription_id = fields.UUID(required=True)
    description = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(_LIFECYCLES))
    insync = fields.Boolean(required=True)
    customer_id = fields.String(required=True)
    start_date = fields.AwareDateTime(required=True, allow_none=True)
    end_date = fields.AwareDateTime(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)
    version = fields.Integer(required=True)
    product = fields.Dict(keys=fields.String(), required=True)
    in_use_by_ids = fields.List(
        fields.UUID(), required=True, metadata={"description": "Subscriptions that use a block of this one"}
    )


class RelatedSubscriptionSchema(Schema):
    """A subscription that uses another, or is used by it."""

    subscription_id = fields.UUID(required=True)
    description = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(_LIFECYCLES))
    insync = fields.Boolean(required=True)
    customer_id = fields.String(required=True)
    start_date = fields.AwareDateTime(required=True, allow_none=True)
    end_date = fields.AwareDateTime(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)
    version = fields.Integer(required=True)
    product_id = fields.UUID(required=True)
    product_name = fields.String(required=True)
    product_type = fields.String(required=True)
    tag = fields.String(required=True)


class HoldingProcessSchema(Schema):
    """The process that took a subscription out of sync: it works on it, or has ended and left it so."""

    process_id = fields.UUID(required=True)
    workflow_name = fields.String(required=True)
    status = fields.String(required=True)


class BlockingSchema(Schema):
    """Why something is blocked; `reason` is a stable code, and null when nothing is blocked."""

    reason = fields.String(required=True, allow_none=True, metadata={"description": "Like subscription.not_in_sync"})
    message = fields.String(required=True, allow_none=True, metadata={"description": "The reason as a sentence"})
    locked_relations = fields.List(
        fields.UUID(), required=True, allow_none=True, metadata={"description": "Related ones that are out of sync"}
    )
    locked_relations_detail = fields.List(fields.Nested(RelatedSubscriptionSchema), required=True, allow_none=True)
    held_by = fields.Nested(
        HoldingProcessSchema,
        required=True,
        allow_none=True,
        metadata={"description": "The process for which it is out of sync; null when none holds it"},
    )


class AllowedWorkflowSchema(BlockingSchema):
    """A workflow of the subscription's product; it may run when `reason` is null."""

    name = fields.String(required=True)
    description = fields.String(required=True)
    usable_when = fields.List(
        fields.String(), required=True, allow_none=True, metadata={"description": "The statuses in which it may run"}
    )
    status = fields.String(required=True, allow_none=True, metadata={"description": "The subscription's, if it is why"})
    action = fields.String(required=True, allow_none=True, metadata={"description": "modified or terminated"})
    unterminated_in_use_by_subscriptions = fields.List(fields.UUID(), required=True, allow_none=True)
    unterminated_in_use_by_subscriptions_detail = fields.List(
        fields.Nested(RelatedSubscriptionSchema), required=True, allow_none=True
    )


class SubscriptionWorkflowsSchema(BlockingSchema):
    """The workflows of a subscription by their target; the reason is what blocks all that need it in sync."""

    create = fields.List(fields.Nested(AllowedWorkflowSchema), required=True)
    modify = fields.List(fields.Nested(AllowedWorkflowSchema), required=True)
    terminate = fields.List(fields.Nested(AllowedWorkflowSchema), required=True)
    system = fields.List(fields.Nested(AllowedWorkflowSchema), required=True)
    validates = fields.List(
        fields.Nested(AllowedWorkflowSchema), required=True, attribute="validate", data_key="validate"
    )
    reconcile = fields.List(fields.Nested(AllowedWorkflowSchema), required=True)


class ValueChangeSchema(Schema):
    """One value that was changed."""

    change_id = fields.Integer(required=True)
    subscription_instance_id = fields.UUID(
        required=True, allow_none=True, metadata={"description": "The block; null for a value of the subscription"}
    )
    path = fields.String(required=True, metadata={"description": "Like description or ne.ports[2].speed"})
    before = fields.Raw(required=True, allow_none=True)
    after = fields.Raw(required=True, allow_none=True)
    process_id = fields.UUID(required=True, allow_none=True)
    step_key = fields.String(required=True, allow_none=True)
    changed_by = fields.String(required=True)
    changed_at = fields.AwareDateTime(required=True)


class SetInSync(RequestSchema):
    """Why a person says that the subscription is in sync."""

    reason = fields.String(validate=validate.Length(min=1, max=2000))
