"""The audit on the wire."""

from __future__ import annotations

from marshmallow import Schema, fields


class AuditSchema(Schema):
    """One thing that somebody did."""

    audit_id = fields.Integer(required=True)
    at = fields.AwareDateTime(required=True)
    actor = fields.String(required=True)
    action = fields.String(required=True)
    object_type = fields.String(required=True)
    object_id = fields.String(required=True)
    process_id = fields.UUID(required=True, allow_none=True)
    subscription_id = fields.UUID(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    before = fields.Raw(required=True, allow_none=True, metadata={"description": "What changed, as it was"})
    after = fields.Raw(required=True, allow_none=True, metadata={"description": "What changed, as it is"})
    request_id = fields.String(required=True, allow_none=True)
