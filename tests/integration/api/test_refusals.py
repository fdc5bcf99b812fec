"""What is refused before anything is done: strangers, wrong bodies, wrong paths, servers that are gone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from orchestrator.api.application import build_application
from orchestrator.services.context import Context
from orchestrator.storage.database import Database, build_engine
from tests.integration.api.rows import Rows

MEMBERS = {"type", "title", "status", "detail", "request_id"}
UNKNOWN = "5f0c3a52-6d0e-4b7e-9a43-0d7c1d0b9b21"


@pytest.fixture
def path(rows: Rows) -> str:
    """Of something that can be changed."""
    return f"/api/products/{rows.product()}"


@pytest.fixture
def without_database(context: Context) -> Iterator[FlaskClient]:
    database = Database(build_engine("postgresql://nobody:x@127.0.0.1:9/none", application_name="tests"))
    yield build_application(replace(context, database=database)).test_client()
    database.dispose()


def refused(response: Any, status: int, code: str) -> str:
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    assert set(response.json) >= MEMBERS
    assert (response.json["status"], response.json["type"]) == (status, f"/api/docs/problems#{code}")
    assert response.json["request_id"] == response.headers["X-Request-Id"]
    detail: str = response.json["detail"]
    return detail


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8080", "127.0.0.1:5000", "[::1]:8080", "[::1]", "LOCALHOST", "portal.example"]
)
def test_names_of_this_server_are_accepted(context: Context, host: str) -> None:
    settings = context.settings.model_copy(update={"allowed_hosts": "portal.example, other.example"})
    client = build_application(replace(context, settings=settings)).test_client()
    assert client.get("/api/health/live", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.evil.example", "", "a b", "::1"])
def test_another_name_is_refused(client: FlaskClient, host: str) -> None:
    detail = refused(client.get("/api/health/live", headers={"Host": host}), 421, "host-refused")
    assert "ORCHESTRATOR_ALLOWED_HOSTS" in detail


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://[evil"},
        {"Origin": "http://localhost:9999"},
        {"Sec-Fetch-Site": "cross-site"},
    ],
)
def test_a_page_of_another_site_changes_nothing(
    client: FlaskClient, path: str, headers: dict[str, str], rows: Rows
) -> None:
    refused(client.patch(path, json={"description": "mine"}, headers=headers), 403, "origin-refused")
    assert client.get(path, headers=headers).json["description"] == ""
    assert rows.audit() == []


def test_a_page_of_this_server_may_change_things(client: FlaskClient, path: str) -> None:
    headers = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.patch(path, json={"description": "mine"}, headers=headers).status_code == 201


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
def test_a_body_of_another_type_is_refused(client: FlaskClient, path: str, kind: str) -> None:
    response = client.patch(path, data=b'{"description": "mine"}', content_type=kind)
    assert "application/json" in refused(response, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "body", [b"{", b"nonsense", b'{"description": NaN}', b'\xff\xfe"', b'{"description": "\\ud800"}']
)
def test_a_body_that_is_not_json_is_refused(client: FlaskClient, path: str, body: bytes) -> None:
    response = client.patch(path, data=body, content_type="application/json")
    assert "not JSON" in refused(response, 400, "invalid-json")


def test_a_nul_character_is_refused_with_its_place(client: FlaskClient, path: str) -> None:
    assert "['description']" in refused(client.patch(path, json={"description": "a\0b"}), 400, "invalid-json")
    deep = b'[{"a": ' * 400 + b'"\\u0000"' + b"}]" * 400
    refused(client.patch(path, data=deep, content_type="application/json"), 400, "invalid-json")
    refused(client.get("/api/products/?tag=a%00b"), 422, "invalid-request")
    refused(client.get("/api/products/a%00b"), 422, "invalid-request")


def test_json_that_is_nested_too_deep_is_refused(client: FlaskClient, path: str) -> None:
    deep = b"[" * 20_000 + b"]" * 20_000
    assert client.patch(path, data=deep, content_type="application/json").status_code in {400, 422}


def test_a_large_body_is_refused_without_being_read(client: FlaskClient, path: str) -> None:
    response = client.patch(path, data=b" " * 50_001, content_type="application/json")
    assert "50001 bytes, the limit is 50000" in refused(response, 413, "body-too-large")
    response = client.patch(path, content_type="application/json", environ_overrides={"CONTENT_LENGTH": "20000000"})
    refused(response, 413, "body-too-large")


def test_a_large_body_of_unknown_length_is_refused(application: Flask, path: str) -> None:
    def chunks() -> Iterator[bytes]:
        yield from (b" " * 1_000 for _ in range(60))

    class Stream:
        def __init__(self) -> None:
            self.source, self.kept = chunks(), b""

        def read(self, size: int = -1) -> bytes:
            while size < 0 or len(self.kept) < size:
                part = next(self.source, b"")
                if not part:
                    break
                self.kept += part
            found, self.kept = (self.kept, b"") if size < 0 else (self.kept[:size], self.kept[size:])
            return found

    response = application.test_client().patch(
        path,
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": Stream(), "wsgi.input_terminated": True},
    )
    refused(response, 413, "body-too-large")


def test_chunks_that_are_none_are_refused(client: FlaskClient, path: str) -> None:
    class InvalidChunkSizeError(Exception):
        """Each server has its own."""

    class Stream:
        def read(self, size: int = -1) -> bytes:
            raise InvalidChunkSizeError

    response = client.patch(
        path,
        content_type="application/json",
        headers={"Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input": Stream(), "wsgi.input_terminated": True},
    )
    assert "chunks" in refused(response, 400, "invalid-json")


def test_an_unknown_path_is_not_found(client: FlaskClient) -> None:
    refused(client.get("/api/nonsense"), 404, "not-found")
    refused(client.post("/nonsense", json={}), 404, "not-found")


def test_a_method_that_a_path_has_not_is_named_with_those_it_has(client: FlaskClient, path: str) -> None:
    response = client.delete(path)
    refused(response, 405, "method-not-allowed")
    assert {"GET", "PATCH"} <= set(response.headers["Allow"].split(", "))


def test_a_parameter_that_a_path_has_not_is_refused(client: FlaskClient, path: str) -> None:
    assert "colour" in refused(client.get(f"{path}?colour=red"), 422, "invalid-request")


@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("GET", UNKNOWN), ("PATCH", UNKNOWN)])
def test_a_database_that_is_gone_is_said_so(without_database: FlaskClient, method: str, suffix: str) -> None:
    body = {"json": {"description": "x"}} if method == "PATCH" else {}
    response = without_database.open(f"/api/products/{suffix}", method=method, **body)
    assert "database does not answer" in refused(response, 503, "unavailable")
    assert int(response.headers["Retry-After"]) > 0
    assert "127.0.0.1" not in response.text


def test_a_fault_of_the_server_shows_nothing_of_its_inside(application: Flask) -> None:
    def broken() -> str:
        raise RuntimeError("the password is secret")

    application.add_url_rule("/api/broken", "broken", broken)
    response = application.test_client().get("/api/broken")
    detail = refused(response, 500, "internal-error")
    assert "secret" not in response.text
    assert "request id" in detail


def test_a_request_id_that_is_sent_comes_back(client: FlaskClient) -> None:
    response = client.get("/api/health/live", headers={"X-Request-Id": "ticket-17"})
    assert response.headers["X-Request-Id"] == "ticket-17"
    odd = client.get("/api/health/live", headers={"X-Request-Id": "a b;c"}).headers["X-Request-Id"]
    assert len(odd) == 36
    assert odd != client.get("/api/health/live").headers["X-Request-Id"]


def test_health_tells_what_is_missing(client: FlaskClient, without_database: FlaskClient) -> None:
    assert (client.get("/api/health/").status_code, client.get("/api/health/").json) == (200, "OK")
    ready = client.get("/api/health/ready")
    assert (ready.status_code, ready.json["ready"]) == (200, True)
    assert [check["name"] for check in ready.json["checks"]] == ["database", "migrations", "broker"]
    assert without_database.get("/api/health/live").json == "OK"
    refused(without_database.get("/api/health/"), 503, "not-ready")
    unready = without_database.get("/api/health/ready")
    refused(unready, 503, "not-ready")
    assert {check["name"]: check["ok"] for check in unready.json["checks"]} == {
        "database": False,
        "migrations": False,
        "broker": True,
    }


def test_readiness_notices_a_broker_that_is_gone(context: Context) -> None:
    settings = context.settings.model_copy(update={"broker_url": None})
    client = build_application(replace(context, settings=settings, broker_ping=None)).test_client()
    began = time.monotonic()
    response = client.get("/api/health/ready")
    assert time.monotonic() - began < 5
    refused(response, 503, "not-ready")
    assert [check["name"] for check in response.json["checks"] if not check["ok"]] == ["broker"]


def test_readiness_notices_missing_migrations(context: Context, empty_database_url: str) -> None:
    database = Database(build_engine(empty_database_url, application_name="tests"))
    response = build_application(replace(context, database=database)).test_client().get("/api/health/ready")
    assert "orchestrator db upgrade" in refused(response, 503, "not-ready")
    assert [check["name"] for check in response.json["checks"] if not check["ok"]] == ["migrations"]
    database.dispose()


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("127.8.8.8", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.7", 403), ("::2", 403)],
)
def test_only_clients_of_this_machine_may_connect(client: FlaskClient, address: str, status: int) -> None:
    assert client.get("/api/health/live", environ_overrides={"REMOTE_ADDR": address}).status_code == status
