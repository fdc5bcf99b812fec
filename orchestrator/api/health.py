"""Health: for load balancers and process supervisors."""

from __future__ import annotations

from flask import Response
from marshmallow import Schema, fields

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.problems import NOT_READY, problem_response
from orchestrator.api.requests import current_context
from orchestrator.services.health import Readiness, database_health, readiness

blueprint = build_blueprint("health", "/health", "Whether this server lives and can work.")


class CheckSchema(Schema):
    """One thing that has to work."""

    name = fields.String(required=True, metadata={"description": "database, migrations or broker"})
    ok = fields.Boolean(required=True)
    detail = fields.String(required=True)


class ReadinessSchema(Schema):
    """All checks."""

    ready = fields.Boolean(required=True)
    checks = fields.List(fields.Nested(CheckSchema), required=True)


_TEXT = {"content": {"application/json": {"schema": {"type": "string"}}}}


@endpoint(blueprint, "GET", "/", document={"responses": {200: _TEXT}})
def health() -> Response:
    """Say OK when the database answers."""
    found = database_health(current_context())
    return _ok() if found.ready else _not_ready(found)


@endpoint(blueprint, "GET", "/live", document={"responses": {200: _TEXT}})
def live() -> Response:
    """Say OK when this process serves requests, whatever else is wrong."""
    return _ok()


@endpoint(blueprint, "GET", "/ready", response=ReadinessSchema)
def ready() -> Readiness | Response:
    """Say whether database, migrations and broker are as they have to be."""
    found = readiness(current_context())
    return found if found.ready else _not_ready(found)


def _ok() -> Response:
    return Response('"OK"\n', content_type="application/json")


def _not_ready(found: Readiness) -> Response:
    failed = [check for check in found.checks if not check.ok]
    detail = " ".join(check.detail for check in failed)
    return problem_response(NOT_READY, detail, {"ready": False, "checks": found.checks})
