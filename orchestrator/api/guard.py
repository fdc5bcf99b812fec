"""What every request has to satisfy before a view sees it, while there is no authentication: a page of another site
can neither reach this server under a name of its own nor send it a form."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException
from werkzeug.sansio.utils import host_is_trusted

from orchestrator.api.problems import (
    BODY_TOO_LARGE,
    HOST_REFUSED,
    INVALID_JSON,
    INVALID_REQUEST,
    ORIGIN_REFUSED,
    UNSUPPORTED_MEDIA_TYPE,
    ProblemError,
)
from orchestrator.setting_values import LOOPBACK
from orchestrator.settings import Settings

CONTENT_SECURITY_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"
WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})


def register_guard(application: Flask, settings: Settings) -> None:
    """Check Host, Origin, size and content type of every request of this application."""
    hosts = LOOPBACK | {name.strip().lower() for name in settings.allowed_hosts.split(",") if name.strip()}
    limit = settings.max_request_bytes
    # One byte more: werkzeug cuts a body of unknown length off there, silently.
    application.config["MAX_CONTENT_LENGTH"] = limit + 1

    def check() -> None:
        _check_client()
        _check_host(hosts)
        _check_text(request.full_path)
        if request.method in WRITES:
            _check_origin()
            _check_body(limit)

    application.before_request(check)
    application.after_request(_harden)


def _harden(response: Response) -> Response:
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", CONTENT_SECURITY_POLICY)
    return response


def _check_client() -> None:
    # The settings allow loopback addresses only; this holds when somebody binds the WSGI server to another one.
    address = request.remote_addr
    if address and not is_loopback(address):
        raise ProblemError(
            ORIGIN_REFUSED,
            "There is no authentication yet, so that only clients on this machine may connect; "
            "put an authenticating proxy in front.",
        )


@lru_cache(maxsize=256)
def is_loopback(address: str) -> bool:
    """Whether this is an address of the machine itself."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return (mapped or parsed).is_loopback


def _check_host(hosts: frozenset[str]) -> None:
    host = request.headers.get("Host", "")
    if not _is_name_of(hosts, host):
        detail = f"{host[:100]!r} is not a name of this server; ORCHESTRATOR_ALLOWED_HOSTS can add names."
        raise ProblemError(HOST_REFUSED, detail)


# A client sends the same name again and again; whoever makes names up finds the place of one that was not used lately.
@lru_cache(maxsize=256)
def _is_name_of(hosts: frozenset[str], host: str) -> bool:
    # The library checks the form; its list of names has no IPv6 and minds the case.
    return host_is_trusted(host) and urlsplit(f"//{host}").hostname in hosts


def _check_text(text: str) -> None:
    if "\x00" in text or "%00" in text:
        raise ProblemError(INVALID_REQUEST, "The path and its parameters cannot hold a NUL character.")


def _check_origin() -> None:
    origin = request.headers.get("Origin")
    if origin is not None and _netloc(origin) != request.headers.get("Host", "").lower():
        raise ProblemError(ORIGIN_REFUSED, f"A page from {origin[:100]!r} may not change anything here.")
    if request.headers.get("Sec-Fetch-Site") == "cross-site":
        raise ProblemError(ORIGIN_REFUSED, "A page of another site may not change anything here.")


def _netloc(origin: str) -> str | None:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _check_body(limit: int) -> None:
    length = request.content_length or 0
    if length > limit:
        raise ProblemError(BODY_TOO_LARGE, f"The body has {length} bytes, the limit is {limit}.")
    chunked = "chunked" in request.headers.get("Transfer-Encoding", "").lower()
    if (length or chunked) and not request.is_json:
        found = request.mimetype or "none"
        raise ProblemError(UNSUPPORTED_MEDIA_TYPE, f"The content type is {found}; send application/json.")
    if chunked and len(_chunks()) > limit:
        raise ProblemError(BODY_TOO_LARGE, f"The body has more than {limit} bytes, which is the limit.")


def _chunks() -> bytes:
    try:
        return request.get_data()
    except HTTPException:
        raise
    except Exception:  # noqa: BLE001 - each server has a class of its own for chunks that are no chunks
        raise ProblemError(INVALID_JSON, "The body cannot be read: its chunks are not as HTTP has them.") from None
