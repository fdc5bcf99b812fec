"""How an endpoint is declared: one decorator that parses, dumps and documents. The OpenAPI document is made from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import marshmallow
from apispec import BasePlugin
from flask import request
from flask_smorest import Blueprint
from typing_extensions import override

from orchestrator.api.parsing import RequestParser, refuse
from orchestrator.api.problems import PROBLEM_JSON

P = ParamSpec("P")
R = TypeVar("R")
SchemaLike = marshmallow.Schema | type[marshmallow.Schema]

_ALWAYS = (400, 421, 422, 500, 503)
_WRITES = {"post": (403, 413, 415), "put": (403, 413, 415), "patch": (403, 413, 415), "delete": (403, 413, 415)}
_DESCRIPTIONS = {
    400: "What was sent cannot be used",
    403: "Not allowed, or asked by a page of another site",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible in the present state",
    412: "The condition of the workflow does not hold",
    413: "The body is too large",
    415: "The body is not application/json",
    421: "The Host header is not a name of this server",
    422: "A parameter or field is wrong",
    500: "A fault of the server",
    503: "A server behind this one does not answer",
}


def build_blueprint(name: str, url_prefix: str, description: str) -> Any:
    """A blueprint of flask-smorest whose parameters are parsed strictly; `url_prefix` is like `/products`."""
    blueprint = Blueprint(name, __name__, url_prefix=f"/api{url_prefix}", description=description)
    blueprint.ARGUMENTS_PARSER = RequestParser()
    return blueprint


def endpoint(
    blueprint: Any,
    method: str,
    rule: str,
    *,
    response: SchemaLike | None = None,
    status: int = 200,
    query: SchemaLike | None = None,
    headers: SchemaLike | None = None,
    body: SchemaLike | None = None,
    body_required: bool = True,
    errors: Sequence[int] = (),
    document: dict[str, Any] | None = None,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Make a function the view of `method rule`.

    The function is given the parts of the path, and `query`, `headers` and `body` as dicts if it has schemas for them;
    it returns what `response` dumps, or a Response. A parameter of the query that no schema names is refused.

    Args:
        blueprint: from `build_blueprint`.
        method: GET, POST, PUT, PATCH or DELETE.
        rule: the path below the blueprint's, like `/<id:product_id>`; `id` is a UUID.
        response: dumps the answer; None for an answer without a body.
        status: of the answer when all went well.
        query: schema of the query string.
        headers: schema of the headers that it looks at.
        body: schema of the JSON body.
        body_required: whether a body has to be there.
        errors: statuses of problems besides those that every endpoint has.
        document: more for the OpenAPI operation.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def checked(*args: P.args, **kwargs: P.kwargs) -> Any:
            if query is None and request.args:
                refuse({"query": {name: ["Unknown parameter."] for name in request.args}})
            if body is not None and body_required and not request.get_data(cache=True):
                refuse({"json": {"_schema": ["A JSON object with the fields to change has to be sent."]}})
            found = view(*args, **kwargs)
            return "" if found is None and response is None else found

        decorated: Any = blueprint.response(status, response)(checked)
        if body is not None:
            decorated = blueprint.arguments(_made(body), location="json", arg_name="body", required=body_required)(
                decorated
            )
        if headers is not None:
            decorated = blueprint.arguments(_made(headers), location="headers", arg_name="headers")(decorated)
        if query is not None:
            decorated = blueprint.arguments(_made(query), location="query", arg_name="query")(decorated)
        # Numbers, as flask-smorest has them, or what is said here and there about one answer would not be merged.
        stated = {int(code): answer for code, answer in (document or {}).get("responses", {}).items()}
        responses = {**{code: {} for code in errors}, **stated}
        extra = {"operationId": view.__name__, **(document or {}), "responses": responses}
        decorated = blueprint.doc(**extra)(decorated)
        blueprint.route(rule, methods=[method])(decorated)
        return view

    return decorate


def _made(schema: SchemaLike) -> marshmallow.Schema:
    """One for all requests: webargs would make one of the class for each."""
    return schema() if isinstance(schema, type) else schema


class ProblemResponses(BasePlugin):
    """Gives every documented operation the problems that it can answer with, and a 304 for what can be conditional."""

    @override
    def operation_helper(
        self, path: str | None = None, operations: dict[Any, Any] | None = None, **kwargs: Any
    ) -> None:
        """Complete the responses of the operations of one path."""
        for method, operation in (operations or {}).items():
            responses = {int(code): answer for code, answer in operation.get("responses", {}).items()}
            stated = {code for code, answer in responses.items() if code >= 400 and not _has_content(answer)}
            for code in {*stated, *_ALWAYS, *_WRITES.get(method, ())}:
                responses[code] = _problem_answer(code)
            responses[414] = {"description": "The URL is too long for the web server, which answers this by itself"}
            if method == "get" and 200 in responses:
                responses[304] = {"description": "Not modified: the tag is one of If-None-Match"}
                operation.setdefault("parameters", []).append(
                    {
                        "name": "If-None-Match",
                        "in": "header",
                        "description": "Tags of earlier answers",
                        "schema": {"type": "string"},
                    }
                )
            operation["responses"] = {str(code): responses[code] for code in sorted(responses)}


def _has_content(answer: Any) -> bool:
    return isinstance(answer, dict) and "content" in answer


def _problem_answer(code: int) -> dict[str, Any]:
    return {
        "description": _DESCRIPTIONS.get(code, "Problem"),
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
