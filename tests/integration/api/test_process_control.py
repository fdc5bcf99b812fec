"""What operators do to the engine and to processes under way, over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from orchestrator.api.application import build_application
from orchestrator.storage.database import Database
from tests.integration.process_world import FAULTS, World, process_world


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


def failed(client: FlaskClient, world: World) -> str:
    """The path of a process that failed."""
    FAULTS.append("not today")
    process_id = client.post("/api/processes/plain_task").json["id"]
    world.run()
    return f"/api/processes/{process_id}"


def test_a_failed_step_is_skipped(client: FlaskClient, world: World) -> None:
    path = failed(client, world)
    for body in ({}, {"reason": ""}, {"reason": None}):
        assert client.put(f"{path}/skip", json=body).status_code == 422
    assert client.put(f"{path}/skip?reporter=eve", json={"reason": "by hand"}).status_code == 204
    world.run()
    shown = client.get(path).json
    assert shown["last_status"] == "completed"
    skipped = shown["steps"][2]
    assert (skipped["status"], skipped["created_by"], skipped["error"]["error"]) == ("skipped", "eve", "by hand")
    assert client.put(f"{path}/skip", json={"reason": "once more"}).status_code == 409


def test_a_process_runs_again_from_a_step(client: FlaskClient, world: World) -> None:
    path = failed(client, world)
    assert client.put(f"{path}/rerun", json={"step": "done"}).status_code == 409
    refused = client.put(f"{path}/rerun", json={"step": "nothing"})
    assert (refused.status_code, "start, may_fail, done" in refused.json["detail"]) == (400, True)
    assert client.put(f"{path}/rerun", json={"step": "start", "reason": "again"}).status_code == 204
    world.run()
    shown = client.get(path).json
    assert [(one["key"], one["generation"]) for one in shown["steps"]][2:] == [
        ("start", 2),
        ("may_fail", 2),
        ("done", 2),
    ]
    assert [(one["cause"], one["reason"]) for one in shown["starts"]] == [("start", None), ("rerun", "again")]


def test_a_process_is_moved_to_the_steps_that_are_deployed(client: FlaskClient, world: World) -> None:
    path = failed(client, world)
    assert "already" in client.put(f"{path}/migrate", json={"step": "may_fail"}).json["detail"]
    world.query("UPDATE workflow_versions SET hash = 'of another release'")
    assert client.put(f"{path}/migrate", json={"step": "done", "reason": "new release"}).status_code == 204
    world.run()
    shown = client.get(path).json
    assert (shown["last_status"], shown["starts"][-1]["cause"], shown["starts"][-1]["step_key"]) == (
        "completed",
        "migrate",
        "done",
    )


@pytest.mark.parametrize("act", ["skip", "rerun", "migrate"])
def test_a_process_that_is_not_there_is_not_moved(client: FlaskClient, act: str) -> None:
    body = {"reason": "why"} if act == "skip" else {"step": "start"}
    assert client.put(f"/api/processes/{uuid4()}/{act}", json=body).status_code == 404
