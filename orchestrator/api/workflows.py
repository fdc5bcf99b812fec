"""Workflows."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.lists import ListAnswer, ListParameters, list_answer, list_document, list_query
from orchestrator.api.requests import current_actor, current_context, request_id
from orchestrator.api.schemas_catalog import DescriptionChange, WorkflowDetailSchema, WorkflowSchema
from orchestrator.services import workflows
from orchestrator.services.catalog_views import WorkflowView

blueprint = build_blueprint("workflows", "/workflows", "What can be done to subscriptions.")


@endpoint(
    blueprint,
    "GET",
    "/",
    response=WorkflowSchema(many=True),
    query=ListParameters,
    document=list_document(workflows.WORKFLOW_LIST),
)
def list_workflows(query: dict[str, Any]) -> ListAnswer[WorkflowView]:
    """List workflows."""
    return list_answer(workflows.list_workflows(current_context(), list_query(query)))


@endpoint(blueprint, "GET", "/<id:workflow_id>", response=WorkflowDetailSchema, errors=(404,))
def get_workflow(workflow_id: UUID) -> WorkflowView:
    """Show one workflow and its steps."""
    return workflows.workflow_detail(current_context(), workflow_id)


@endpoint(
    blueprint,
    "PATCH",
    "/<id:workflow_id>",
    response=WorkflowDetailSchema,
    status=201,
    body=DescriptionChange,
    errors=(404,),
)
def change_workflow(workflow_id: UUID, body: dict[str, Any]) -> WorkflowView:
    """Change a workflow's description."""
    return workflows.change_workflow(current_context(), current_actor(), workflow_id, body, request_id=request_id())
