"""What operators do to the engine and to processes under way, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from orchestrator.api.application import build_application
from orchestrator.storage.database import Database
from tests.integration.process_world import World, process_world


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.fixture
def client(world: World) -> FlaskClient:
    return build_application(world.context).test_client()


def test_the_engine_is_paused_and_goes_on(client: FlaskClient, world: World) -> None:
    path = "/api/settings/status"
    running = {"global_lock": False, "global_status": "RUNNING", "running_processes": 0, "reason": None}
    assert client.get(path).json == running
    started = client.post("/api/processes/plain_task").json["id"]

    paused = client.put(path, json={"global_lock": True, "reason": "maintenance"}, headers={"X-Request-Id": "r7"})
    assert (paused.status_code, paused.json["global_status"], paused.json["reason"]) == (200, "PAUSED", "maintenance")
    for refused in (client.post("/api/processes/plain_task"), client.put(f"/api/processes/{started}/resume")):
        assert refused.status_code == 503
        assert refused.json["type"].endswith("#engine-paused")
        assert "maintenance" in refused.json["detail"]
        assert refused.headers["Retry-After"]
    world.run()
    assert client.get(f"/api/processes/{started}").json["last_status"] == "created"

    assert client.put(path, json={"global_lock": False}).json == running
    world.run()
    assert client.get(f"/api/processes/{started}").json["last_status"] == "completed"
    told = client.get("/api/audit/?filter=object_type,engine&sort=audit_id").json[0]
    assert (told["action"], told["reason"], told["request_id"]) == ("pause", "maintenance", "r7")


@pytest.mark.parametrize(
    "body", [{}, {"global_lock": "yes"}, {"global_lock": 1}, {"global_lock": True, "more": 1}, {"global_lock": None}]
)
def test_a_lock_that_does_not_fit_is_refused(client: FlaskClient, body: dict[str, Any]) -> None:
    assert client.put("/api/settings/status", json=body).status_code == 422


def test_a_process_is_paused_shown_so_and_goes_on(client: FlaskClient, world: World) -> None:
    process_id = client.post("/api/processes/plain_task").json["id"]
    path = f"/api/processes/{process_id}"
    assert client.get(path).json["paused"] is False
    assert client.put(f"{path}/unpause").status_code == 409
    assert client.put(f"{path}/pause", json={"reason": "look first"}).status_code == 204
    assert client.put(f"{path}/pause").status_code == 409
    assert client.get(path).json["paused"] is True
    assert [one["process_id"] for one in client.get("/api/processes/?filter=paused,true").json] == [process_id]
    assert client.put(f"{path}/unpause").status_code == 204
    world.run()
    assert client.get(path).json["last_status"] == "completed"
    assert client.put(f"{path}/pause").status_code == 409
    assert client.put(f"/api/processes/{uuid4()}/pause").status_code == 404
    reasons = [(one["action"], one["reason"]) for one in client.get(f"{path}/audit?sort=audit_id").json]
    assert reasons == [("start", None), ("pause", "look first"), ("unpause", None)]


def test_an_abort_releases_the_subscription_when_it_is_asked_to(client: FlaskClient, world: World) -> None:
    port = str(world.subscription())
    process_id = client.post("/api/processes/modify_port", json=[{"subscription_id": port}]).json["id"]
    world.run()
    path = f"/api/processes/{process_id}"
    assert client.put(f"{path}/abort", json={"release_subscription": "yes"}).status_code == 422
    assert client.put(f"{path}/abort", json={"release_subscription": True}).status_code == 204
    assert client.get(f"/api/subscriptions/{port}").json["insync"] is True
