"""Processes: start, resume, abort, look at."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.lists import ListAnswer, ListParameters, list_answer, list_document, list_query
from orchestrator.api.parsing import read_json
from orchestrator.api.problems import PROBLEM_JSON
from orchestrator.api.requests import current_actor, current_context, reporter_of, request_id
from orchestrator.api.schemas_audit import AuditSchema
from orchestrator.api.schemas_processes import (
    AbortReason,
    FormNotCompleteSchema,
    IdempotencyHeaders,
    NoteChange,
    ProcessDetailSchema,
    ProcessSchema,
    ReporterParameters,
    StartedSchema,
    StatusCountsParameters,
    StatusCountsSchema,
)
from orchestrator.services import processes
from orchestrator.services.audit import AUDIT_LIST, AuditEntry, list_audit
from orchestrator.services.process_views import PROCESS_LIST, ProcessView, list_processes, process_detail
from orchestrator.services.processes import Started, StatusCounts

blueprint = build_blueprint("processes", "/processes", "Runs of workflows.")


def _pages_body(**schema: Any) -> dict[str, Any]:
    items = {"type": "object", "additionalProperties": True}
    return {
        "required": False,
        "description": "The pages of the form that were filled in so far, all of them each time",
        "content": {"application/json": {"schema": {"type": ["array", "null"], "items": items, **schema}}},
    }


_PAGES: Final[dict[str, Any]] = {
    "requestBody": _pages_body(),
    "responses": {
        "510": {
            "description": "The form has another page to fill in",
            "content": {PROBLEM_JSON: {"schema": FormNotCompleteSchema}},
        }
    },
}
# An empty object is taken for one empty page.
_PAGES_OR_NONE: Final[dict[str, Any]] = {
    **_PAGES,
    "requestBody": _pages_body(type=["array", "null", "object"], maxProperties=0),
}


@endpoint(
    blueprint,
    "POST",
    "/<workflow_key>",
    response=StartedSchema,
    status=201,
    query=ReporterParameters,
    headers=IdempotencyHeaders,
    errors=(404, 412),
    document=_PAGES,
)
def start_process(workflow_key: str, query: dict[str, Any], headers: dict[str, Any]) -> Started:
    """Start a workflow, or ask for the next page of its form."""
    return processes.start_process(
        current_context(),
        current_actor(),
        workflow_key,
        read_json(),
        idempotency_key=headers.get("idempotency_key"),
        request_id=request_id(),
        reporter=reporter_of(query),
    )


@endpoint(
    blueprint, "GET", "/", response=ProcessSchema(many=True), query=ListParameters, document=list_document(PROCESS_LIST)
)
def list_all_processes(query: dict[str, Any]) -> ListAnswer[ProcessView]:
    """List processes."""
    return list_answer(list_processes(current_context(), list_query(query)))


@endpoint(blueprint, "GET", "/status-counts", response=StatusCountsSchema, query=StatusCountsParameters)
def get_status_counts(query: dict[str, Any]) -> StatusCounts:
    """Count processes and tasks by status."""
    return processes.status_counts(current_context(), ended=query["ended"])


@endpoint(blueprint, "GET", "/<id:process_id>", response=ProcessDetailSchema, errors=(404,))
def get_process(process_id: UUID) -> dict[str, Any]:
    """Show one process with its past, running and pending steps."""
    return _detail(process_id)


@endpoint(
    blueprint,
    "PUT",
    "/<id:process_id>/resume",
    status=204,
    query=ReporterParameters,
    errors=(404, 409),
    document=_PAGES_OR_NONE,
)
def resume_process(process_id: UUID, query: dict[str, Any]) -> None:
    """Answer the form that a process waits with, or let what failed or waits run again."""
    body = read_json()
    processes.resume_process(
        current_context(),
        current_actor(),
        process_id,
        [{}] if body == {} else body,
        reporter=reporter_of(query),
        request_id=request_id(),
    )


@endpoint(
    blueprint,
    "PUT",
    "/<id:process_id>/abort",
    status=204,
    query=ReporterParameters,
    body=AbortReason,
    body_required=False,
    errors=(404, 409),
)
def abort_process(process_id: UUID, query: dict[str, Any], body: dict[str, Any]) -> None:
    """End a process unfinished, at once; a step that runs at this moment is recorded no more."""
    processes.abort_process(
        current_context(),
        current_actor(),
        process_id,
        body.get("reason"),
        release_subscription=body.get("release_subscription", False),
        reporter=reporter_of(query),
        request_id=request_id(),
    )


@endpoint(blueprint, "PATCH", "/<id:process_id>", response=ProcessDetailSchema, body=NoteChange, errors=(404,))
def change_process(process_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Set or remove the note of a process."""
    if "note" in body:
        processes.set_note(current_context(), current_actor(), process_id, body["note"], request_id=request_id())
    return _detail(process_id)


@endpoint(blueprint, "DELETE", "/<id:process_id>", status=204, errors=(404, 409))
def delete_process(process_id: UUID) -> None:
    """Delete a task that has ended; the audit keeps what it did."""
    processes.delete_task(current_context(), current_actor(), process_id, request_id=request_id())


@endpoint(
    blueprint,
    "GET",
    "/<id:process_id>/audit",
    response=AuditSchema(many=True),
    query=ListParameters,
    document=list_document(AUDIT_LIST),
)
def get_process_audit(process_id: UUID, query: dict[str, Any]) -> ListAnswer[AuditEntry]:
    """List what was done about a process, even one that was deleted."""
    return list_answer(list_audit(current_context(), list_query(query), process_id=process_id))


def _detail(process_id: UUID) -> dict[str, Any]:
    found = process_detail(current_context(), process_id)
    return {**vars(found.process), **vars(found)}
