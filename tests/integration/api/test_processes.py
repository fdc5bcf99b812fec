"""Processes over HTTP: paths, statuses, bodies and headers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from orchestrator.api.application import build_application
from orchestrator.storage.database import Database
from tests.integration.process_world import FAULTS, World, process_world

NAME = {"name": "port 1", "size": 3}
SURE = {"sure": True}


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.fixture
def client(world: World) -> FlaskClient:
    return build_application(world.context).test_client()


def start(client: FlaskClient, world: World, workflow: str, pages: Any = None) -> str:
    answer = client.post(f"/api/processes/{workflow}", json=pages)
    assert answer.status_code == 201, answer.json
    world.run()
    return str(answer.json["id"])


def problem(answer: TestResponse, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.json
    assert answer.content_type == "application/problem+json"
    body: dict[str, Any] = answer.json
    assert body["status"] == status
    assert body["detail"]
    return body


def test_the_form_is_walked_with_510_until_a_process_starts(client: FlaskClient, world: World) -> None:
    product = {"product": str(world.product_id)}
    body = problem(client.post("/api/processes/create_port", json=[]), 510)
    assert (body["type"], body["title"]) == ("FormNotCompleteError", "Form not complete")
    assert body["form"]["properties"]["product"]["format"] == "productId"
    assert body["meta"] == {"hasNext": True}
    body = problem(client.post("/api/processes/create_port", json=[product, NAME]), 510)
    assert body["meta"] == {"hasNext": False}
    answer = client.post("/api/processes/create_port?reporter=eve", json=[product, NAME, SURE])
    assert (answer.status_code, list(answer.json)) == (201, ["id"])
    world.run()
    shown = client.get(f"/api/processes/{answer.json['id']}").json
    assert (shown["last_status"], shown["created_by"], shown["workflow_name"]) == ("completed", "eve", "create_port")
    assert shown["subscriptions"][0]["description"] == "port 1"
    assert [step["key"] for step in shown["steps"]][:2] == ["start", "make_port"]
    assert shown["steps"][1]["state_delta"]["subscription"]["description"] == "port 1"
    assert shown["current_state"]["name"] == "port 1"


def test_a_page_that_does_not_fit_is_a_400_that_says_where(client: FlaskClient, world: World) -> None:
    body = problem(client.post("/api/processes/create_port", json=[{"product": "x"}]), 400)
    assert (body["type"], body["title"]) == ("FormValidationError", "Form not valid")
    error = body["validation_errors"][0]
    assert (error["loc"], error["input"]) == (["product"], "x")
    assert {"type", "msg"} <= set(error)
    pages = [{"product": str(world.product_id)}, NAME, SURE, {}]
    assert "4 pages" in problem(client.post("/api/processes/create_port", json=pages), 400)["detail"]
    stale = [{"subscription_id": str(world.subscription()), "version": 9}]
    assert "Stale data" in problem(client.post("/api/processes/modify_port", json=stale), 400)["detail"]
    blocked = [{"subscription_id": str(world.subscription(insync=False))}]
    assert "not in sync" in problem(client.post("/api/processes/modify_port", json=blocked), 400)["detail"]


@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/api/processes/nothing", {"json": []}, 404),
        ("/api/processes/plain_task", {"json": {}}, 422),
        ("/api/processes/plain_task", {"json": [3]}, 422),
        ("/api/processes/plain_task", {"data": "[", "content_type": "application/json"}, 400),
        ("/api/processes/plain_task", {"data": "[]", "content_type": "text/plain"}, 415),
        ("/api/processes/plain_task?what=1", {"json": []}, 422),
        ("/api/processes/plain_task?reporter=" + "x" * 101, {"json": []}, 422),
        ("/api/processes/plain_task", {"json": [{}] * 2}, 400),
        ("/api/processes/unstorable_task", {"json": [NAME]}, 400),
        ("/api/processes/guarded_task", {"json": []}, 403),
    ],
)
def test_a_start_that_cannot_be_is_refused(client: FlaskClient, path: str, sent: dict[str, Any], status: int) -> None:
    problem(client.post(path, **sent), status)


def test_no_body_null_an_empty_list_and_an_empty_page_start_a_workflow_without_a_form(client: FlaskClient) -> None:
    for sent in ({}, {"json": None}, {"json": []}, {"json": [{}]}):
        assert client.post("/api/processes/plain_task", **sent).status_code == 201


def test_a_predicate_is_a_412_and_a_pause_a_503(client: FlaskClient, world: World) -> None:
    client.post("/api/processes/plain_task")
    assert "1 processes run" in problem(client.post("/api/processes/lonely_task"), 412)["detail"]
    world.query("UPDATE engine_settings SET paused = true, reason = 'maintenance'")
    answer = client.post("/api/processes/plain_task")
    assert "maintenance" in problem(answer, 503)["detail"]
    assert answer.headers["Retry-After"]


def test_an_idempotency_key_repeats_the_answer(client: FlaskClient, world: World) -> None:
    def post(pages: Any) -> TestResponse:
        return client.post("/api/processes/plain_task", json=pages, headers={"Idempotency-Key": "k"})

    first = post([])
    again = post([])
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json == again.json
    problem(post([{}]), 422)
    problem(client.post("/api/processes/plain_task", headers={"Idempotency-Key": "k" * 256}), 422)
    assert world.query("SELECT count(*) FROM processes") == [(1,)]


def test_a_process_is_resumed_aborted_and_both_are_conflicts_afterwards(client: FlaskClient, world: World) -> None:
    process_id = start(client, world, "modify_port", [{"subscription_id": str(world.subscription())}])
    path = f"/api/processes/{process_id}"
    shown = client.get(path).json
    assert (shown["last_status"], shown["form"]["properties"]["colour"]["default"]) == ("suspended", "A port")
    assert problem(client.put(f"{path}/resume"), 510)["form"] == shown["form"]
    problem(client.put(f"{path}/resume", json=[{"color": "red"}]), 400)
    FAULTS.append("not today")
    answer = client.put(f"{path}/resume", json=[{"colour": "red"}])
    assert (answer.status_code, answer.data) == (204, b"")
    world.run()
    failed = client.get(path).json
    assert failed["last_status"] == "failed"
    assert failed["steps"][5]["error"]["class"] == "RuntimeError"
    assert [step["status"] for step in failed["steps"][5:]] == ["failed", "pending", "pending"]
    assert client.put(f"{path}/resume", json={}).status_code == 204
    problem(client.put(f"{path}/resume"), 409)
    answer = client.put(f"{path}/abort", json={"reason": "enough"})
    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(path).json["failed_reason"] == "enough"
    problem(client.put(f"{path}/abort"), 409)
    problem(client.put(f"{path}/resume"), 409)
    audited = client.get(f"{path}/audit").json
    assert [(entry["action"], entry["actor"]) for entry in audited] == [
        ("abort", "operator"),
        ("resume", "operator"),
        ("resume", "operator"),
        ("start", "operator"),
    ]
    problem(client.put(f"{path}/abort", json={"why": "x"}), 422)


def test_a_note_is_patched_and_a_task_deleted(client: FlaskClient, world: World) -> None:
    process_id = start(client, world, "plain_task")
    path = f"/api/processes/{process_id}"
    assert client.patch(path, json={"note": "look"}).json["note"] == "look"
    assert client.patch(path, json={}).json["note"] == "look"
    assert client.patch(path, json={"note": None}).json["note"] is None
    problem(client.patch(path, json={"note": "x" * 5001}), 422)
    problem(client.patch(path, json={"state": {}}), 422)
    assert client.delete(path).status_code == 204
    problem(client.get(path), 404)
    workflow = start(client, world, "modify_port", [{"subscription_id": str(world.subscription())}])
    problem(client.delete(f"/api/processes/{workflow}"), 400)
    running = client.post("/api/processes/plain_task").json["id"]
    problem(client.delete(f"/api/processes/{running}"), 409)


def test_ids_that_are_unknown_or_none_are_told_apart(client: FlaskClient) -> None:
    for method, suffix in (("get", ""), ("patch", ""), ("delete", ""), ("put", "/resume"), ("put", "/abort")):
        body = {"json": {"note": "x"}} if method == "patch" else {}
        problem(client.open(f"/api/processes/{uuid4()}{suffix}", method=method, **body), 404)
        problem(client.open(f"/api/processes/not-one{suffix}", method=method, **body), 422)


def test_processes_are_listed_by_page_filter_and_sort(client: FlaskClient, world: World) -> None:
    FAULTS.append("not today")
    failed = start(client, world, "plain_task")
    completed = start(client, world, "plain_task")

    def ids(query: str) -> list[str]:
        answer = client.get(f"/api/processes/?{query}")
        assert answer.status_code == 200, answer.json
        return [process["process_id"] for process in answer.json]

    assert ids("") == [completed, failed]
    assert ids("filter=lastStatus,failed") == [failed]
    assert ids("filter=workflowName,plain,isTask,true&sort=startedAt,asc") == [failed, completed]
    assert ids("range=1,2") == [failed]
    answer = client.get("/api/processes/?page_size=1")
    assert '"total":2' in answer.headers["X-Pagination"]
    same = client.get("/api/processes/?page_size=1", headers={"If-None-Match": answer.headers["ETag"]})
    assert same.status_code == 304
    problem(client.get("/api/processes/?filter=colour,red"), 400)
    problem(client.get("/api/processes/?sort=colour"), 400)
    problem(client.get("/api/processes/?page=-1"), 422)
    counts = client.get("/api/processes/status-counts").json
    assert counts == {"process_counts": {}, "task_counts": {"failed": 1, "completed": 1}}
    assert client.get("/api/processes/status-counts?ended=false").json == {
        "process_counts": {},
        "task_counts": {"failed": 1},
    }


def test_the_document_tells_of_pages_keys_and_the_next_page(client: FlaskClient) -> None:
    paths = client.get("/api/openapi.json").json["paths"]
    operation = paths["/api/processes/{workflow_key}"]["post"]
    assert operation["requestBody"]["content"]["application/json"]["schema"]["type"] == ["array", "null"]
    schema = operation["responses"]["510"]["content"]["application/problem+json"]["schema"]
    assert schema == {"$ref": "#/components/schemas/FormNotComplete"}
    assert {"201", "400", "403", "404", "412", "422", "503", "510"} <= set(operation["responses"])
    assert {parameter["name"] for parameter in operation["parameters"]} == {"reporter", "Idempotency-Key"}
