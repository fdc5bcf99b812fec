"""The switch of the engine."""

from __future__ import annotations

from typing import Any

from marshmallow import Schema, fields, validate

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.requests import current_actor, current_context, request_id
from orchestrator.api.schemas import RequestSchema, TrueOrFalse
from orchestrator.services.engine import EngineStatus, GlobalStatus, engine_status, set_engine_lock
from orchestrator.services.texts import MAX_REASON_LENGTH

blueprint = build_blueprint("settings", "/settings", "What holds for the whole orchestrator.")


class EngineStatusSchema(Schema):
    """Whether steps may begin, and how many processes have one that runs."""

    global_lock = fields.Boolean(required=True)
    global_status = fields.Enum(
        GlobalStatus,
        by_value=True,
        required=True,
        metadata={"description": "PAUSING: no step begins, and those that had begun before still run"},
    )
    running_processes = fields.Integer(required=True)
    reason = fields.String(required=True, allow_none=True, metadata={"description": "Why it is paused"})


class EngineLock(RequestSchema):
    """Pause the engine, or let it go on."""

    global_lock = TrueOrFalse(required=True)
    reason = fields.String(allow_none=True, validate=validate.Length(max=MAX_REASON_LENGTH))


@endpoint(blueprint, "GET", "/status", response=EngineStatusSchema)
def get_engine_status() -> EngineStatus:
    """Show whether the engine is paused, and what still runs."""
    return engine_status(current_context())


@endpoint(blueprint, "PUT", "/status", response=EngineStatusSchema, body=EngineLock)
def set_engine_status(body: dict[str, Any]) -> EngineStatus:
    """Pause the engine, so that no step begins anywhere, or let all processes go on."""
    return set_engine_lock(
        current_context(), current_actor(), body["global_lock"], body.get("reason"), request_id=request_id()
    )
