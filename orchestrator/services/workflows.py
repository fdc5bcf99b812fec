"""Workflows as the database and the code know them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.errors import UnknownWorkflowError
from orchestrator.language.vocabulary import Actor, Target
from orchestrator.services.catalog_rows import change_row
from orchestrator.services.catalog_views import WorkflowStepView, WorkflowView, workflow_view
from orchestrator.services.context import Context
from orchestrator.services.lists import Field, Kind, ListDefinition, ListQuery, Page, list_page
from orchestrator.storage.tables import WorkflowTable

WORKFLOW_LIST = ListDefinition(
    "workflows",
    select(WorkflowTable).where(WorkflowTable.deleted_at.is_(None)),
    {
        "workflow_id": Field(WorkflowTable.workflow_id, Kind.UUID),
        "name": Field(WorkflowTable.name, Kind.TEXT),
        "target": Field(WorkflowTable.target, Kind.WORD, words=tuple(Target)),
        "is_task": Field(WorkflowTable.is_task, Kind.BOOLEAN),
        "description": Field(WorkflowTable.description, Kind.TEXT),
        "created_at": Field(WorkflowTable.created_at, Kind.TIME),
    },
    tie=WorkflowTable.name,
    newest_first=False,
)


def list_workflows(context: Context, query: ListQuery) -> Page[WorkflowView]:
    """Workflows by name, without their steps.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        return list_page(session, WORKFLOW_LIST, query).map(lambda row: workflow_view(row[0]))


def workflow_detail(context: Context, workflow_id: UUID) -> WorkflowView:
    """One workflow, with its steps where this server has its code.

    Raises:
        UnknownWorkflowError: there is none of this id.
    """
    with context.database.reading() as session:
        row = _find(session, workflow_id)
        return workflow_view(row, _steps(context, row.name))


def change_workflow(
    context: Context, actor: Actor, workflow_id: UUID, changes: Mapping[str, Any], *, request_id: str | None = None
) -> WorkflowView:
    """Change a workflow's `description`.

    Raises:
        UnknownWorkflowError: there is none of this id.
    """
    with context.database.transaction(actor.name) as session:
        row = _find(session, workflow_id)
        change_row(session, actor, row, "workflow", workflow_id, changes, request_id)
        return workflow_view(row, _steps(context, row.name))


def _find(session: Session, workflow_id: UUID) -> WorkflowTable:
    row = session.get(WorkflowTable, workflow_id)
    if row is None or row.deleted_at is not None:
        raise UnknownWorkflowError(f"there is no workflow {workflow_id}")
    return row


def _steps(context: Context, name: str) -> tuple[WorkflowStepView, ...] | None:
    code = context.catalog.workflows.get(name)
    if code is None:
        return None
    return tuple(WorkflowStepView(one.name, one.key, one.kind, str(one.assignee), one.group) for one in code.steps)
