"""Conditional requests (RFC 9110, section 13): every answer to a GET carries a weak tag and honours If-None-Match."""

from __future__ import annotations

from hashlib import blake2b

from flask import Flask, Response, request

_PART_OF_THE_ANSWER = ("X-Pagination", "Content-Range")


def register_etags(application: Flask) -> None:
    """Tag successful answers to GET and HEAD; one whose tag the client already holds becomes a 304."""
    application.after_request(_tag)


def _tag(response: Response) -> Response:
    if request.method not in {"GET", "HEAD"} or response.status_code != 200 or response.is_streamed:
        return response
    digest = blake2b(response.get_data(), digest_size=16)
    for name in _PART_OF_THE_ANSWER:
        digest.update(response.headers.get(name, "").encode())
    response.set_etag(digest.hexdigest(), weak=True)
    response.headers.setdefault("Cache-Control", "private, no-cache")
    response.make_conditional(request)
    return response
