"""What a view asks about its request: the context, who acts, and the id under which it is logged."""

from __future__ import annotations

import re
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, request
from uuid_utils.compat import uuid7

from orchestrator.language.vocabulary import Actor
from orchestrator.services.context import Context

REQUEST_ID_HEADER = "X-Request-Id"
SPEAKS_FOR_OTHERS = "speaks-for-others"
MAX_REPORTER_LENGTH = 100

# Without authentication everyone who reaches the loopback address is the operator of this machine.
OPERATOR = Actor("operator", (SPEAKS_FOR_OTHERS,))

_EXTENSION = "orchestrator"
_ACCEPTED_ID = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


def register_context(application: Flask, context: Context) -> None:
    """Hand the context to the views of this application and give every request an id."""
    application.extensions[_EXTENSION] = context
    application.before_request(_begin)
    application.after_request(_send_request_id)


def current_context() -> Context:
    """The context of the application that serves this request."""
    context: Context = current_app.extensions[_EXTENSION]
    return context


def current_actor() -> Actor:
    """Who sent this request."""
    actor: Actor = g.setdefault("actor", OPERATOR)
    return actor


def speaking_for(reporter: str | None) -> Actor:
    """Who acts when the request names a `reporter`: that name, if the sender may speak for others, else the sender."""
    actor = current_actor()
    if reporter and SPEAKS_FOR_OTHERS in actor.roles:
        return Actor(reporter, ())
    return actor


def reporter_of(query: dict[str, Any]) -> str | None:
    """The name of who acts, when the query string has a `reporter` that the sender may speak for; else None."""
    reporter: str | None = query.get("reporter")
    return speaking_for(reporter).name if reporter else None


def request_id() -> str:
    """The id of this request: the sender's `X-Request-Id` when it is a plain word, else a new one."""
    identifier: str | None = g.get("request_id")
    if identifier is None:
        sent = request.headers.get(REQUEST_ID_HEADER, "")
        identifier = g.request_id = sent if _ACCEPTED_ID.fullmatch(sent) else str(uuid7())
    return identifier


def _begin() -> None:
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=request_id())


def _send_request_id(response: Response) -> Response:
    response.headers[REQUEST_ID_HEADER] = request_id()
    return response
