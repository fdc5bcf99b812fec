"""What all requests and answers have in common."""

from __future__ import annotations

from typing import Any

from marshmallow import RAISE, Schema, fields
from typing_extensions import override


class RequestSchema(Schema):
    """Something that a client sends. Unknown names are refused."""

    class Meta:
        """Strict."""

        unknown = RAISE


class TrueOrFalse(fields.Boolean):
    """A boolean of JSON: 1, "yes" and the like are refused."""

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> bool:
        if not isinstance(value, bool):
            raise self.make_error("invalid", input=value)
        return value


class ProblemSchema(Schema):
    """An error (RFC 9457). `type` is a stable code, documented at the path that it names."""

    type = fields.String(required=True, metadata={"description": "Stable code, documented at this path"})
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True, metadata={"description": "What is wrong here, for a person"})
    request_id = fields.String(required=True, metadata={"description": "Finds the request in the server's log"})
    errors = fields.Dict(keys=fields.String(), metadata={"description": "Of a 422: location -> field -> messages"})
    validation_errors = fields.List(
        fields.Dict(keys=fields.String()),
        metadata={"description": "Of a page that does not fit: objects with type, loc, msg and input"},
    )
