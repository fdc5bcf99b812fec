"""Errors as `application/problem+json` (RFC 9457). The one place that knows which error is which status."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson
import psycopg
import structlog
from flask import Flask, Response, request
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from orchestrator.api.requests import request_id
from orchestrator.errors import (
    CodeFailedError,
    ConflictError,
    EnginePausedError,
    ForbiddenError,
    FormFailedError,
    FormIncompleteError,
    FormInvalidError,
    FormOverflowError,
    IdempotencyKeyError,
    InvalidInputError,
    InvalidListQueryError,
    InvalidScheduleError,
    MalformedPagesError,
    NotATaskError,
    NotFoundError,
    OrchestratorError,
    PredicateFailedError,
    ProductInUseError,
    UnavailableError,
    UnfinishedProcessesError,
)

PROBLEM_JSON = "application/problem+json"
DOCUMENTED_AT = "/api/docs/problems#"
RETRY_AFTER_SECONDS = 5

_TOKEN_IN_PATH = re.compile(r"(/callback/)[^/]+")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Problem:
    """A kind of error: a stable code, its status, a title, and what a client can do about it."""

    code: str
    status: int
    title: str
    meaning: str
    type_uri: str = ""

    @property
    def type(self) -> str:
        """The `type` member: where the code is documented, or the word that clients of the form protocol know."""
        return self.type_uri or DOCUMENTED_AT + self.code


INVALID_INPUT = Problem("invalid-input", 400, "Invalid input", "What was sent cannot be used; `detail` says why.")
INVALID_LIST_QUERY = Problem(
    "invalid-list-query",
    400,
    "Invalid list query",
    "The filter, sort, range or cursor is wrong; `detail` names what fits.",
)
PRODUCT_IN_USE = Problem(
    "product-in-use", 400, "Product in use", "Terminate the product's subscriptions before you end its life."
)
INVALID_JSON = Problem("invalid-json", 400, "Invalid JSON", "The body is not JSON that can be stored.")
INVALID_REQUEST = Problem(
    "invalid-request", 422, "Invalid request", "A parameter or field is wrong; `errors` tells where and why."
)
NOT_FOUND = Problem("not-found", 404, "Not found", "What the path names does not exist.")
CONFLICT = Problem("conflict", 409, "Conflict", "That cannot be done in the present state; look at it again.")
UNFINISHED_PROCESSES = Problem(
    "unfinished-processes", 422, "Unfinished processes", "Finish or abort the subscription's processes first."
)
METHOD_NOT_ALLOWED = Problem("method-not-allowed", 405, "Method not allowed", "`Allow` names the methods of this path.")
BODY_TOO_LARGE = Problem("body-too-large", 413, "Body too large", "Send less; `detail` tells the limit.")
UNSUPPORTED_MEDIA_TYPE = Problem(
    "unsupported-media-type", 415, "Unsupported media type", "Bodies are `Content-Type: application/json`."
)
HOST_REFUSED = Problem("host-refused", 421, "Host refused", "The Host header is not a name of this server.")
ORIGIN_REFUSED = Problem(
    "origin-refused", 403, "Origin refused", "A page of another site may not change anything here."
)
UNAVAILABLE = Problem(
    "unavailable",
    503,
    "Service unavailable",
    "A server behind this one does not answer; try again after `Retry-After`.",
)
NOT_READY = Problem("not-ready", 503, "Not ready", "`checks` names what does not work.")
INTERNAL = Problem(
    "internal-error", 500, "Internal error", "A fault of the server; its log has more under `request_id`."
)
CODE_FAILED = Problem(
    "code-failed",
    500,
    "Code failed",
    "The workflow's or the model's own code failed; `detail` says which, the log has more under `request_id`.",
)
FORM_FAILED = Problem(
    "form-failed", 500, "Form failed", "The code of the workflow's form failed; the log has more under `request_id`."
)
FORM_INCOMPLETE = Problem(
    "form-incomplete",
    510,
    "Form not complete",
    "The form has another page: post the pages so far and one that fits `form`; `meta` tells whether more follow.",
    "FormNotCompleteError",
)
FORM_INVALID = Problem(
    "form-invalid",
    400,
    "Form not valid",
    "A page does not fit its schema; `validation_errors` tells where and why.",
    "FormValidationError",
)
FORM_OVERFLOW = Problem("form-overflow", 400, "Too many pages", "Send no more pages than the form has.")
MALFORMED_PAGES = Problem("malformed-pages", 422, "Malformed pages", "The pages of a form are a list of objects.")
INVALID_SCHEDULE = Problem(
    "invalid-schedule", 422, "Invalid schedule", "A field of the schedule is wrong; `errors` tells which and why."
)
NOT_A_TASK = Problem("not-a-task", 400, "Not a task", "Only tasks can be deleted.")
IDEMPOTENCY_KEY_REFUSED = Problem(
    "idempotency-key", 422, "Idempotency key refused", "Use a new key for each request, of at most 255 characters."
)
FORBIDDEN = Problem("forbidden", 403, "Forbidden", "The workflow, or the step that it stands at, does not let you.")
PREDICATE_FAILED = Problem(
    "predicate-failed", 412, "Not now", "The workflow's own condition for a start does not hold; `detail` says why."
)
ENGINE_PAUSED = Problem(
    "engine-paused", 503, "Engine paused", "Nothing is started, resumed or called back now; `detail` has the reason."
)

# An error is the problem of the nearest class above it.
PROBLEMS: dict[type[OrchestratorError], Problem] = {
    OrchestratorError: INTERNAL,
    InvalidInputError: INVALID_INPUT,
    InvalidListQueryError: INVALID_LIST_QUERY,
    ProductInUseError: PRODUCT_IN_USE,
    NotFoundError: NOT_FOUND,
    ConflictError: CONFLICT,
    UnfinishedProcessesError: UNFINISHED_PROCESSES,
    UnavailableError: UNAVAILABLE,
    CodeFailedError: CODE_FAILED,
    FormFailedError: FORM_FAILED,
    FormIncompleteError: FORM_INCOMPLETE,
    FormInvalidError: FORM_INVALID,
    FormOverflowError: FORM_OVERFLOW,
    MalformedPagesError: MALFORMED_PAGES,
    InvalidScheduleError: INVALID_SCHEDULE,
    NotATaskError: NOT_A_TASK,
    IdempotencyKeyError: IDEMPOTENCY_KEY_REFUSED,
    ForbiddenError: FORBIDDEN,
    PredicateFailedError: PREDICATE_FAILED,
    EnginePausedError: ENGINE_PAUSED,
}

_REFUSALS = (
    INVALID_JSON,
    INVALID_REQUEST,
    METHOD_NOT_ALLOWED,
    BODY_TOO_LARGE,
    UNSUPPORTED_MEDIA_TYPE,
    HOST_REFUSED,
    ORIGIN_REFUSED,
    NOT_READY,
)

_BY_STATUS = {
    problem.status: problem for problem in (NOT_FOUND, METHOD_NOT_ALLOWED, BODY_TOO_LARGE, UNSUPPORTED_MEDIA_TYPE)
}


class ProblemError(HTTPException):
    """A request that is refused for a reason that only HTTP knows; it may be raised while a path is still matched."""

    def __init__(self, problem: Problem, detail: str, members: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail)
        self.problem = problem
        self.detail = detail
        self.code = problem.status
        self.members = members or {}


def all_problems() -> list[Problem]:
    """Every problem that a client can meet, each once, by status and code."""
    return sorted({*PROBLEMS.values(), *_REFUSALS}, key=lambda problem: (problem.status, problem.code))


def problem_of(error: OrchestratorError) -> Problem:
    """The problem of an error: that of the nearest class in the table."""
    return next(PROBLEMS[found] for found in type(error).__mro__ if found in PROBLEMS)


def problem_response(problem: Problem, detail: str, members: Mapping[str, Any] | None = None) -> Response:
    """The answer `{type, title, status, detail, request_id}` and what `members` adds."""
    body = {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status,
        "detail": detail,
        "request_id": request_id(),
        **(members or {}),
    }
    return Response(orjson.dumps(body, default=str), status=problem.status, content_type=PROBLEM_JSON)


def register_error_handlers(application: Flask) -> None:
    """Answer every error with a problem; nothing of the inside is shown for one that nobody expected."""
    application.register_error_handler(ProblemError, _refused)
    application.register_error_handler(OrchestratorError, _known)
    application.register_error_handler(HTTPException, _http)
    for gone in (OperationalError, InterfaceError, PoolTimeoutError, psycopg.OperationalError):
        application.register_error_handler(gone, _database_gone)
    application.register_error_handler(Exception, _unexpected)


def _refused(error: ProblemError) -> Response:
    return problem_response(error.problem, error.detail, error.members)


def _known(error: OrchestratorError) -> Response:
    problem = problem_of(error)
    if problem is INTERNAL:
        return _unexpected(error)
    detail = str(error)
    if isinstance(error, CodeFailedError):
        _log_failure(error)
        if error.in_full != detail:
            detail += "; the log of the web server has what it said, under this request id"
    response = problem_response(problem, detail, getattr(error, "members", None))
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _http(error: HTTPException) -> Response:
    status = error.code or 500
    title = HTTPStatus(status).phrase
    problem = _BY_STATUS.get(status) or Problem(title.lower().replace(" ", "-"), status, title, "", "about:blank")
    response = problem_response(problem, error.description or title)
    for name, value in error.get_headers():
        if name != "Content-Type":
            response.headers[name] = value
    return response


def _database_gone(error: Exception) -> Response:
    cause = error.orig if isinstance(error, DBAPIError) else error
    log.warning("the database does not answer", error=type(cause).__name__, path=_logged_path())
    response = problem_response(UNAVAILABLE, "The database does not answer; nothing was changed. Try again shortly.")
    response.headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


def _logged_path() -> str:
    """The path without the token of a callback, which is as good as a password."""
    return _TOKEN_IN_PATH.sub(r"\1(token)", request.path)


def _unexpected(error: Exception) -> Response:
    _log_failure(error)
    return problem_response(INTERNAL, "Something went wrong in the server; its log tells more under this request id.")


def _log_failure(error: Exception) -> None:
    log.error("request failed", method=request.method, path=_logged_path(), request_id=request_id(), exc_info=error)
