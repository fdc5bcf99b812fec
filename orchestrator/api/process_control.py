"""What an operator does to a process that is under way: hold it, let it go on, set it to another place."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.requests import current_actor, current_context, reporter_of, request_id
from orchestrator.api.schemas_processes import ReasonSchema, ReporterParameters, SkipReason, StepChoice
from orchestrator.services import moving, pausing

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


@endpoint(
    blueprint,
    "PUT",
    "/<id:process_id>/skip",
    status=204,
    query=ReporterParameters,
    body=SkipReason,
    errors=(404, 409),
)
def skip_step(process_id: UUID, query: dict[str, Any], body: dict[str, Any]) -> None:
    """Go past the step that failed, or that waits to be tried again."""
    moving.skip_step(
        current_context(),
        current_actor(),
        process_id,
        body["reason"],
        reporter=reporter_of(query),
        request_id=request_id(),
    )


@endpoint(
    blueprint,
    "PUT",
    "/<id:process_id>/rerun",
    status=204,
    query=ReporterParameters,
    body=StepChoice,
    errors=(404, 409),
)
def rerun_process(process_id: UUID, query: dict[str, Any], body: dict[str, Any]) -> None:
    """Run a process again from a step that it has come to before, with the state as it was before that step."""
    moving.rerun_process(
        current_context(),
        current_actor(),
        process_id,
        body["step"],
        body.get("reason"),
        reporter=reporter_of(query),
        request_id=request_id(),
    )


@endpoint(
    blueprint,
    "PUT",
    "/<id:process_id>/migrate",
    status=204,
    query=ReporterParameters,
    body=StepChoice,
    errors=(404, 409),
)
def migrate_process(process_id: UUID, query: dict[str, Any], body: dict[str, Any]) -> None:
    """Move a process to the steps that are deployed now, at the one that is named."""
    moving.migrate_process(
        current_context(),
        current_actor(),
        process_id,
        body["step"],
        body.get("reason"),
        reporter=reporter_of(query),
        request_id=request_id(),
    )
