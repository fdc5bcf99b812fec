"""Callbacks: where outside systems post to. The token in the path is what lets them."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from flask import Response

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.parsing import read_json, refuse
from orchestrator.api.requests import current_actor, current_context, request_id
from orchestrator.services import callbacks

blueprint = build_blueprint("callbacks", "/processes", "What outside systems answer.")


def _body(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "requestBody": {
            "required": True,
            "description": description,
            "content": {"application/json": {"schema": schema}},
        }
    }


@endpoint(
    blueprint,
    "POST",
    "/<id:process_id>/callback/<token>",
    errors=(404, 409),
    document=_body("What the step that waits keeps", {"type": "object", "additionalProperties": True}),
)
def deliver_callback(process_id: UUID, token: str) -> Response:
    """Take the answer of an outside system, and let the process go on."""
    body = read_json()
    if not isinstance(body, dict):
        refuse({"json": {"_schema": ["A JSON object has to be sent."]}})
    callbacks.deliver_callback(current_context(), current_actor(), process_id, token, body, request_id=request_id())
    return _taken()


@endpoint(
    blueprint,
    "POST",
    "/<id:process_id>/callback/<token>/progress",
    errors=(404, 409),
    document=_body(
        "How far it is; replaces what was told before",
        {"oneOf": [{"type": "object", "additionalProperties": True}, {"type": "string"}]},
    ),
)
def report_callback_progress(process_id: UUID, token: str) -> Response:
    """Take how far an outside system is."""
    body = read_json()
    if not isinstance(body, dict | str):
        refuse({"json": {"_schema": ["A JSON object or a string has to be sent."]}})
    callbacks.report_progress(current_context(), current_actor(), process_id, token, body)
    return _taken()


def _taken() -> Response:
    return Response(status=200, mimetype="text/plain")
