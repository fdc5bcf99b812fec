"""The audit: who did what, when and why."""

from __future__ import annotations

from typing import Any

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.lists import ListAnswer, ListParameters, list_answer, list_document, list_query
from orchestrator.api.requests import current_context
from orchestrator.api.schemas_audit import AuditSchema
from orchestrator.services.audit import AUDIT_LIST, AuditEntry, list_audit

blueprint = build_blueprint("audit", "/audit", "Who did what, when and why.")


@endpoint(
    blueprint,
    "GET",
    "/",
    response=AuditSchema(many=True),
    query=ListParameters,
    document=list_document(AUDIT_LIST),
)
def get_audit(query: dict[str, Any]) -> ListAnswer[AuditEntry]:
    """List what was done, the latest first."""
    return list_answer(list_audit(current_context(), list_query(query)))
