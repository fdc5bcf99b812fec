"""Calls to the systems outside: with time limits, with the idempotency key of the step, and with checked answers."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, Literal, TypeVar

import httpx
from pydantic import TypeAdapter, ValidationError

from product_workflows.settings import lab_url

Shape = TypeVar("Shape")

_LIMITS: Final = httpx.Timeout(5.0, connect=2.0)


class OutsideRefusedError(Exception):
    """A system outside does not do what it was asked for. `response` is what it said."""

    def __init__(self, message: str, response: httpx.Response) -> None:
        super().__init__(message)
        self.response = response

    @property
    def status(self) -> int:
        """Its HTTP status."""
        return self.response.status_code


class WrongAnswerError(Exception):
    """A system outside says that all is well, in words that it should not use."""


# All that can go wrong with a call.
TROUBLE: Final = (OutsideRefusedError, WrongAnswerError, httpx.TransportError)


@cache
def _client() -> httpx.Client:
    """One for each process of the operating system: what it reads of certificates takes longer than most calls."""
    return httpx.Client(timeout=_LIMITS, limits=httpx.Limits(max_keepalive_connections=0))


def call(
    method: Literal["GET", "PUT", "DELETE"],
    path: str,
    shape: TypeAdapter[Shape],
    *,
    body: dict[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Shape:
    """Call a system outside.

    Args:
        method: the HTTP method.
        path: the place below the systems' address, such as `/nso/devices`.
        shape: what the answer must look like.
        body: is sent as JSON.
        idempotency_key: the same for every attempt at one effect, so that it happens once.

    Raises:
        OutsideRefusedError: the answer's status is not 200.
        WrongAnswerError: the answer is no JSON, or does not have the shape.
        httpx.TransportError: there was no answer in time, or nobody to ask.
    """
    headers = {} if idempotency_key is None else {"Idempotency-Key": idempotency_key}
    response = _client().request(method, lab_url() + path, json=body, headers=headers)
    if response.status_code != httpx.codes.OK:
        raise OutsideRefusedError(
            f"{method} {path} was answered {response.status_code}: {response.text[:200]}", response
        )
    try:
        return shape.validate_json(response.content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the answer"
        raise WrongAnswerError(f"{method} {path}: {place}: {first['msg']}; got {response.text[:200]!r}") from None
