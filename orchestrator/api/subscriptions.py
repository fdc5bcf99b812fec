"""Subscriptions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.lists import ListAnswer, ListParameters, list_answer, list_document, list_query
from orchestrator.api.requests import current_actor, current_context, request_id
from orchestrator.api.schemas_audit import AuditSchema
from orchestrator.api.schemas_subscriptions import (
    RelatedSubscriptionSchema,
    SetInSync,
    SubscriptionModelSchema,
    SubscriptionSchema,
    SubscriptionWorkflowsSchema,
    ValueChangeSchema,
)
from orchestrator.language.vocabulary import Target
from orchestrator.services import subscription_views
from orchestrator.services.audit import AUDIT_LIST, AuditEntry, list_audit
from orchestrator.services.subscription_views import SubscriptionEntry, ValueChange
from orchestrator.services.subscriptions import set_in_sync, subscription_workflows
from orchestrator.storage.subscription_relations import RelatedSubscription

_MODEL = {"responses": {200: {"content": {"application/json": {"schema": SubscriptionModelSchema}}}}}

blueprint = build_blueprint("subscriptions", "/subscriptions", "What customers have.")


@endpoint(
    blueprint,
    "GET",
    "/",
    response=SubscriptionSchema(many=True),
    query=ListParameters,
    document=list_document(subscription_views.SUBSCRIPTION_LIST),
)
def list_subscriptions(query: dict[str, Any]) -> ListAnswer[SubscriptionEntry]:
    """List subscriptions."""
    return list_answer(subscription_views.list_subscriptions(current_context(), list_query(query)))


@endpoint(blueprint, "GET", "/<id:subscription_id>", response=SubscriptionSchema, errors=(404,))
def get_subscription(subscription_id: UUID) -> SubscriptionEntry:
    """Show one subscription, without its blocks."""
    return subscription_views.subscription_entry(current_context(), subscription_id)


@endpoint(blueprint, "GET", "/domain-model/<id:subscription_id>", document=_MODEL, errors=(404,))
def get_subscription_model(subscription_id: UUID) -> dict[str, Any]:
    """Show one subscription with its blocks, as its domain model gives it."""
    return subscription_views.subscription_model(current_context(), subscription_id)


@endpoint(blueprint, "GET", "/workflows/<id:subscription_id>", response=SubscriptionWorkflowsSchema, errors=(404,))
def get_subscription_workflows(subscription_id: UUID) -> dict[str, Any]:
    """List the workflows that may run on a subscription, and why the others may not."""
    found = subscription_workflows(current_context(), subscription_id)
    by_target = {
        target.value.lower(): [
            {"name": one.name, "description": one.description, **vars(one.blocking)} for one in found.of(target)
        ]
        for target in Target
    }
    return {**vars(found.blocking), **by_target}


@endpoint(
    blueprint,
    "GET",
    "/<id:subscription_id>/in-use-by",
    response=RelatedSubscriptionSchema(many=True),
    errors=(404,),
)
def get_in_use_by(subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """List the subscriptions that use a block of this one."""
    return subscription_views.in_use_by(current_context(), subscription_id)


@endpoint(
    blueprint,
    "GET",
    "/<id:subscription_id>/depends-on",
    response=RelatedSubscriptionSchema(many=True),
    errors=(404,),
)
def get_depends_on(subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """List the subscriptions of which this one uses a block."""
    return subscription_views.depends_on(current_context(), subscription_id)


@endpoint(
    blueprint,
    "PUT",
    "/<id:subscription_id>/set_in_sync",
    response=SubscriptionSchema,
    body=SetInSync,
    body_required=False,
    errors=(404,),
)
def put_in_sync(subscription_id: UUID, body: dict[str, Any]) -> SubscriptionEntry:
    """Say that a subscription is in sync although no process did.

    Refused with 422 while a process that works on it has not ended.
    """
    context = current_context()
    set_in_sync(context, current_actor(), subscription_id, reason=body.get("reason"), request_id=request_id())
    return subscription_views.subscription_entry(context, subscription_id)


@endpoint(
    blueprint,
    "GET",
    "/<id:subscription_id>/changes",
    response=ValueChangeSchema(many=True),
    query=ListParameters,
    document=list_document(subscription_views.CHANGE_LIST),
    errors=(404,),
)
def get_subscription_changes(subscription_id: UUID, query: dict[str, Any]) -> ListAnswer[ValueChange]:
    """List the history of a subscription's values, the latest change first."""
    found = subscription_views.subscription_changes(current_context(), subscription_id, list_query(query))
    return list_answer(found)


@endpoint(
    blueprint,
    "GET",
    "/<id:subscription_id>/audit",
    response=AuditSchema(many=True),
    query=ListParameters,
    document=list_document(AUDIT_LIST),
)
def get_subscription_audit(subscription_id: UUID, query: dict[str, Any]) -> ListAnswer[AuditEntry]:
    """List what was done about a subscription, even one that was deleted."""
    return list_answer(list_audit(current_context(), list_query(query), subscription_id=subscription_id))
