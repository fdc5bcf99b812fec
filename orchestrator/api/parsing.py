"""Reads parameters and bodies: unknown names are refused, JSON is strict, and every refusal tells where and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn
from uuid import UUID

import marshmallow
import orjson
from flask import Request, request
from typing_extensions import override
from webargs.core import missing
from webargs.flaskparser import FlaskParser
from werkzeug.routing import BaseConverter

from orchestrator.api.problems import INVALID_JSON, INVALID_REQUEST, ProblemError


class RequestParser(FlaskParser):
    """webargs with strict JSON, problems for errors, and `unknown = RAISE` for query strings too."""

    DEFAULT_UNKNOWN_BY_LOCATION = {
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        "json": marshmallow.RAISE,
        "query": marshmallow.RAISE,
        "querystring": marshmallow.RAISE,
    }

    @override
    def load_querystring(self, req: Request, schema: marshmallow.Schema) -> Any:
        """The query string, in which each name stands once."""
        repeated = [name for name, values in req.args.lists() if len(values) > 1]
        if repeated:
            refuse({"query": {name: ["Given more than once."] for name in repeated}})
        return super().load_querystring(req, schema)

    @override
    def load_json(self, req: Request, schema: marshmallow.Schema) -> Any:
        """The body, or `missing` when there is none."""
        return read_json() if req.get_data(cache=True) else missing

    @override
    def handle_error(
        self,
        error: marshmallow.ValidationError,
        req: Request,
        schema: marshmallow.Schema,
        *,
        error_status_code: int | None,
        error_headers: Mapping[str, str] | None,
    ) -> NoReturn:
        """Refuse with 422; `errors` is `{location: {field: [messages]}}`."""
        messages = error.messages
        refuse(messages if isinstance(messages, dict) else {"_schema": messages})


class PublicId(BaseConverter):
    """A UUID in a path. One that is none is refused with 422 instead of hidden behind a 404."""

    part_isolating = True

    def to_python(self, value: str) -> UUID:
        """The UUID.

        Raises:
            ProblemError: it is none.
        """
        try:
            return UUID(value)
        except ValueError:
            refuse({"path": {"id": [f"{value[:100]!r} is not a UUID."]}})

    def to_url(self, value: UUID | str) -> str:
        """The UUID as text."""
        return str(value)


def read_json() -> Any:
    """The body of this request as Python values, or None when it has none.

    Raises:
        ProblemError: it is not JSON, or has text that PostgreSQL cannot hold.
    """
    body = request.get_data(cache=True)
    if not body:
        return None
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ProblemError(INVALID_JSON, f"The body is not JSON: {error}.") from None
    if b"\\u0000" in body and (place := _place_of_nul(value)):
        raise ProblemError(INVALID_JSON, f"A text in {place} has a NUL character, which cannot be stored.")
    return value


def refuse(errors: Mapping[str, Any]) -> NoReturn:
    """Refuse the request with 422, saying which field of which part (`json`, `query`, `path`) is wrong and why.

    Raises:
        ProblemError: always.
    """
    raise ProblemError(INVALID_REQUEST, "; ".join(_sentences(errors)) or "Invalid request.", {"errors": errors})


def _sentences(errors: Any, path: tuple[str, ...] = ()) -> list[str]:
    if isinstance(errors, Mapping):
        return [line for key, inner in errors.items() for line in _sentences(inner, (*path, str(key)))]
    if isinstance(errors, list):
        where = ".".join(path[1:] if path[-1:] != ("_schema",) else path[:-1])
        return [f"{where}: {message}" if where else str(message) for message in errors]
    return [str(errors)]


def _place_of_nul(value: Any) -> str | None:
    # A stack instead of recursion: a client may nest as deep as the JSON reader allows.
    waiting: list[tuple[Any, str]] = [(value, "the body")]
    while waiting:
        item, place = waiting.pop()
        match item:
            case str() if "\x00" in item:
                return place
            case dict():
                if any("\x00" in key for key in item):
                    return f"the names of {place}"
                waiting.extend((inner, f"{place}[{key!r}]"[:200]) for key, inner in item.items())
            case list():
                waiting.extend((inner, f"{place}[{index}]"[:200]) for index, inner in enumerate(item))
    return None
