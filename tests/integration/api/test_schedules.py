"""Schedules over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from orchestrator.api.application import build_application
from orchestrator.storage.database import Database
from tests.integration.process_world import World, process_world

PATH = "/api/schedules/"
NIGHTLY = {"workflow_name": "plain_task", "name": "nightly", "cron": "0 3 * * *", "time_zone": "Europe/Amsterdam"}


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        made.query("DELETE FROM schedules")
        yield made


@pytest.fixture
def client(world: World) -> FlaskClient:
    return build_application(world.context).test_client()


def made(client: FlaskClient, **fields: Any) -> dict[str, Any]:
    answer = client.post(PATH, json={**NIGHTLY, **fields})
    assert answer.status_code == 201, answer.json
    schedule: dict[str, Any] = answer.json
    return schedule


def test_a_schedule_lives_over_http(client: FlaskClient, world: World) -> None:
    schedule = made(client)
    path = PATH + schedule["schedule_id"]
    assert (schedule["status"], len(schedule["next_runs"]), schedule["last_runs"]) == ("CREATED", 5, [])

    changed = client.patch(path, json={"every": 3600, "version": 1})
    assert (changed.status_code, changed.json["cron"], changed.json["every"]) == (200, None, 3600.0)
    assert (changed.json["status"], changed.json["version"]) == ("UPDATED", 2)
    stale = client.patch(path, json={"every": 60, "version": 1})
    assert (stale.status_code, stale.json["type"]) == (409, "/api/docs/problems#conflict")

    assert client.put(f"{path}/pause", json={"reason": "holidays"}).status_code == 204
    assert client.put(f"{path}/pause").status_code == 409
    shown = client.get(path).json
    assert (shown["paused"], shown["next_run_at"], len(shown["next_runs"])) == (True, None, 5)
    assert client.put(f"{path}/unpause").status_code == 204

    started = client.post(f"{path}/run")
    assert started.status_code == 201
    world.run()
    assert client.get(f"/api/processes/{started.json['id']}").json["last_status"] == "completed"
    (run,) = client.get(f"{path}/runs").json
    assert (run["outcome"], run["process_id"], run["requested_by"]) == ("started", started.json["id"], "operator")
    listed = client.get(PATH)
    assert listed.headers["X-Pagination"]
    assert [one["last_run"]["process_id"] for one in listed.json] == [started.json["id"]]
    told = client.get("/api/audit/?filter=object_type,schedule&sort=audit_id").json
    assert [one["action"] for one in told] == ["create", "change", "pause", "unpause", "run"]

    assert client.delete(path).status_code == 204
    assert [client.get(path).status_code, client.get(f"{path}/runs").status_code] == [404, 404]


@pytest.mark.parametrize(
    ("fields", "field", "reason"),
    [
        ({"cron": "0 3 * *"}, "cron", "4 fields"),
        ({"cron": 5}, "cron", "Not a valid string"),
        ({"cron": None}, "trigger", "none was given"),
        ({"every": 60}, "every", "not cron and every"),
        ({"time_zone": "Mars/Crater"}, "time_zone", "no time zone"),
        ({"cron": None, "every": "60"}, "every", "Not a valid number"),
        ({"cron": None, "every": True}, "every", "Not a valid number"),
        ({"cron": None, "every": 0}, "every", "1 to"),
        ({"cron": None, "at": "tomorrow"}, "at", "Not a time"),
        ({"cron": None, "at": 5}, "at", "Not a time"),
        ({"cron": None, "at": "2001-01-01T00:00:00Z"}, "at", "passed"),
        ({"cron": None, "at": "0001-01-01T00:00:00"}, "at", "year"),
        ({"end_at": "2001-01-01T00:00:00Z"}, "end_at", "not after"),
        ({"start_at": "2099-01-02T00:00:00Z", "end_at": "2099-01-01T00:00:00Z"}, "end_at", "not after"),
        ({"overlap": "perhaps"}, "overlap", "skip, queue, allow"),
        ({"jitter": 1e9}, "jitter", "0 to 3600"),
        ({"more": 1}, "more", "Unknown field"),
        ({"trigger": "cron"}, "trigger_kwargs", "go together"),
        ({"trigger": "cron", "trigger_kwargs": {"hour": 3}}, "trigger", "Give this or cron"),
        ({"cron": None, "trigger": "cron", "trigger_kwargs": {"hour": 3}}, "trigger", "Give this or cron"),
    ],
)
def test_a_bad_field_is_named(
    client: FlaskClient, world: World, fields: dict[str, Any], field: str, reason: str
) -> None:
    answer = client.post(PATH, json={**NIGHTLY, **fields})
    assert answer.status_code == 422
    assert reason in str(answer.json["errors"]["json"][field])
    assert world.query("SELECT count(*) FROM schedules") == [(0,)]


def test_what_the_workflow_asks_for_is_asked_for(client: FlaskClient, world: World) -> None:
    incomplete = client.post(PATH, json={**NIGHTLY, "workflow_name": "modify_port"})
    assert incomplete.status_code == 510
    assert "subscription_id" in incomplete.json["form"]["properties"]
    unknown = client.post(PATH, json={**NIGHTLY, "workflow_name": "modify_port", "subscription_id": str(uuid4())})
    assert (unknown.status_code, unknown.json["type"]) == (400, "FormValidationError")
    assert client.post(PATH, json={**NIGHTLY, "workflow_name": "nothing"}).status_code == 404
    assert client.post(PATH, json={**NIGHTLY, "user_inputs": {"no": "list"}}).status_code == 422

    first, second = str(world.subscription()), str(world.subscription())
    schedule = made(client, workflow_name="modify_port", subscription_id=first)
    assert (schedule["subscription_id"], schedule["user_inputs"]) == (first, [{"subscription_id": first}])
    assert schedule["subscription_description"] == "A port"
    moved = client.patch(PATH + schedule["schedule_id"], json={"subscription_id": second}).json
    assert (moved["subscription_id"], moved["user_inputs"]) == (second, [{"subscription_id": second}])


@pytest.mark.parametrize(
    ("trigger", "options", "shown"),
    [
        ("interval", {"hours": 6}, {"every": 21_600.0}),
        ("interval", {"minutes": 1, "seconds": 30, "jitter": 5}, {"every": 90.0, "jitter": 5.0}),
        ("cron", {"hour": 0, "minute": 10}, {"cron": "10 0 * * *"}),
        ("cron", {"hour": "3", "timezone": "Europe/Amsterdam"}, {"cron": "0 3 * * *", "time_zone": "Europe/Amsterdam"}),
        ("cron", {"day_of_week": "0-4", "hour": 7}, {"cron": "0 7 * * mon-fri"}),
        ("cron", {"day_of_week": 6}, {"cron": "0 0 * * sun"}),
        ("cron", {"month": 2, "day": 1}, {"cron": "0 0 1 2 *"}),
        ("cron", {"minute": "*/5", "end_date": "2099-01-01T00:00:00+00:00"}, {"cron": "*/5 * * * *"}),
        ("date", {"run_date": "2099-01-01T00:00:00+00:00"}, {"at": "2099-01-01T00:00:00+00:00"}),
    ],
)
def test_triggers_as_the_peer_writes_them_are_understood(
    client: FlaskClient, world: World, trigger: str, options: dict[str, Any], shown: dict[str, Any]
) -> None:
    ((workflow_id,),) = world.query("SELECT workflow_id FROM workflows WHERE name = 'plain_task'")
    answer = client.post(
        PATH,
        json={
            "name": None,
            "workflow_name": "plain_task",
            "workflow_id": str(workflow_id),
            "trigger": trigger,
            "trigger_kwargs": options,
            "user_inputs": [{}],
            "scheduled_type": "create",
        },
    )
    assert answer.status_code == 201, answer.json
    assert {name: answer.json[name] for name in shown} == shown
    assert answer.json["name"] == "plain_task"


@pytest.mark.parametrize(
    ("trigger", "options"),
    [
        ("interval", {}),
        ("interval", {"hours": "six"}),
        ("interval", {"fortnights": 1}),
        ("cron", {}),
        ("cron", {"second": 5}),
        ("cron", {"hour": 99}),
        ("cron", {"day_of_week": [1]}),
        ("date", {}),
        ("date", {"run_date": "2099-01-01T00:00:00Z", "jitter": 5}),
        ("moon", {"phase": "full"}),
    ],
)
def test_triggers_that_make_no_sense_are_refused(client: FlaskClient, trigger: str, options: dict[str, Any]) -> None:
    body = {"workflow_name": "plain_task", "trigger": trigger, "trigger_kwargs": options}
    assert client.post(PATH, json=body).status_code == 422


def test_the_body_may_name_what_is_changed_and_deleted(client: FlaskClient, world: World) -> None:
    first, second, third = made(client), made(client), made(client, workflow_name="retried_task")
    answer = client.put(
        PATH,
        json={"schedule_id": first["schedule_id"], "trigger": "interval", "trigger_kwargs": {"days": 1}},
    )
    assert (answer.status_code, answer.json["every"], answer.json["cron"]) == (200, 86_400.0, None)
    assert client.put(PATH, json={"schedule_id": str(uuid4()), "every": 60}).status_code == 404
    assert client.put(PATH, json={"every": 60}).status_code == 422

    workflow_ids = dict(world.query("SELECT name, workflow_id FROM workflows"))
    plain, retried = str(workflow_ids["plain_task"]), str(workflow_ids["retried_task"])
    crossed = {"schedule_id": third["schedule_id"], "workflow_id": plain}
    assert client.delete(PATH, json=crossed).status_code == 404, "it is one of another workflow"
    assert client.delete(PATH, json={}).status_code == 422
    assert client.delete(PATH, json={"schedule_id": second["schedule_id"], "workflow_id": plain}).status_code == 200
    assert client.delete(PATH, json={"workflow_id": retried}).json["status"] == "DELETED"
    assert [one["schedule_id"] for one in client.get(PATH).json] == [first["schedule_id"]]
    wrong_name = client.post(PATH, json={**NIGHTLY, "workflow_id": retried})
    assert wrong_name.status_code == 422
    assert "retried_task" in str(wrong_name.json["errors"]["json"]["workflow_id"])
