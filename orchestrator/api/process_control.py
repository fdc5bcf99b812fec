"""What an operator does to a process that is under way: hold it, and let it go on."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.requests import current_actor, current_context, request_id
from orchestrator.api.schemas_processes import ReasonSchema
from orchestrator.services import pausing

blueprint = build_blueprint("process-control", "/processes", "Operators' means to mend processes.")


@endpoint(
    blueprint,
    "PUT",
    "/<id:process_id>/pause",
    status=204,
    body=ReasonSchema,
    body_required=False,
    errors=(404, 409),
)
def pause_process(process_id: UUID, body: dict[str, Any]) -> None:
    """Let no further step of a process begin; one that runs ends and is recorded."""
    pausing.pause_process(current_context(), current_actor(), process_id, body.get("reason"), request_id=request_id())


@endpoint(
    blueprint,
    "PUT",
    "/<id:process_id>/unpause",
    status=204,
    body=ReasonSchema,
    body_required=False,
    errors=(404, 409),
)
def unpause_process(process_id: UUID, body: dict[str, Any]) -> None:
    """Let a paused process go on."""
    pausing.unpause_process(current_context(), current_actor(), process_id, body.get("reason"), request_id=request_id())
