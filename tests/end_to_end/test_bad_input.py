"""What cannot be done is answered with the right status and a sentence that helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.end_to_end.running_system import Json, RunningSystem

NOWHERE = str(uuid4())


def problem(answer: httpx.Response, status: int, *words: str) -> Json:
    """The problem that an answer must be: with this status, and a detail that has these words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    body: Json = answer.json()
    assert body.keys() >= {"type", "title", "status", "detail", "request_id"}
    assert (body["status"], body["request_id"]) == (status, answer.headers["X-Request-Id"])
    assert len(body["detail"].split()) > 2, f"{body['detail']!r} is no sentence"
    assert "Traceback" not in answer.text
    for word in words:
        assert word in body["detail"], body["detail"]
    return body


@dataclass(frozen=True)
class Bad:
    """A request that cannot succeed, whatever there is in the database."""

    method: str
    path: str
    status: int
    words: tuple[str, ...]
    json: Any = None
    content: bytes | None = None
    content_type: str = "application/json"


BAD = {
    "invalid JSON": Bad("POST", "processes/ten_steps", 400, ("not JSON",), content=b'[{"a": '),
    "a NUL in JSON": Bad("POST", "processes/write_ledger", 400, ("NUL",), content=b'[{"gate": "a\\u0000b"}]'),
    "a lone surrogate": Bad("POST", "processes/write_ledger", 400, ("JSON",), content=b'[{"gate": "\\ud800"}]'),
    "not UTF-8": Bad("POST", "processes/write_ledger", 400, ("JSON",), content=b'[{"gate": "\xff"}]'),
    "NaN": Bad("POST", "processes/write_ledger", 400, ("JSON",), content=b"[NaN]"),
    "an object instead of a list": Bad("POST", "processes/write_ledger", 422, ("list", "object"), json={"gate": "a"}),
    "a number instead of a list": Bad("POST", "processes/write_ledger", 422, ("list", "number"), json=1),
    "a list of lists": Bad("POST", "processes/write_ledger", 422, ("list",), json=[[]]),
    "unknown workflow": Bad("POST", "processes/no_such_workflow", 404, ("no_such_workflow",), json=[]),
    "workflow without code": Bad(
        "POST", "processes/never_deployed", 404, ("never_deployed", "ORCHESTRATOR_CATALOG"), json=[]
    ),
    "unknown product": Bad("POST", "processes/create_thing", 404, ("product", NOWHERE), json=[{"product": NOWHERE}]),
    "product that is no UUID": Bad("POST", "processes/create_thing", 400, ("product",), json=[{"product": "thing"}]),
    "product to look at": Bad("GET", f"products/{NOWHERE}", 404, ("product", NOWHERE)),
    "unknown subscription": Bad("POST", "processes/modify_thing", 400, (NOWHERE,), json=[{"subscription_id": NOWHERE}]),
    "subscription to look at": Bad("GET", f"subscriptions/domain-model/{NOWHERE}", 404, ("subscription", NOWHERE)),
    "process to look at": Bad("GET", f"processes/{NOWHERE}", 404, ("process", NOWHERE)),
    "process to resume": Bad("PUT", f"processes/{NOWHERE}/resume", 404, ("process", NOWHERE), json=[]),
    "process to abort": Bad("PUT", f"processes/{NOWHERE}/abort", 404, ("process", NOWHERE)),
    "page that lacks a field": Bad("POST", "processes/write_ledger", 400, ("page 1", "gate"), json=[{}]),
    "wrong page": Bad("POST", "processes/write_ledger", 400, ("page 1", "gate"), json=[{"gate": "NO GATE"}]),
    "unknown field in a page": Bad(
        "POST", "processes/write_ledger", 400, ("page 1", "colour"), json=[{"gate": "a", "colour": "red"}]
    ),
    "too many pages": Bad("POST", "processes/write_ledger", 400, ("2 pages", "more"), json=[{"gate": "a"}, {}]),
    "page for a workflow without a form": Bad("POST", "processes/ten_steps", 400, ("colour",), json=[{"colour": 1}]),
    "pages for a workflow without a form": Bad("POST", "processes/ten_steps", 400, ("2 pages",), json=[{}, {}]),
    "unknown field in a note": Bad("PATCH", f"processes/{NOWHERE}", 422, ("remark",), json={"remark": "x"}),
    "unknown parameter": Bad("GET", "processes/?colour=red", 422, ("colour",)),
    "malformed UUID": Bad("GET", "processes/12345", 422, ("12345", "UUID")),
    "malformed UUID to resume": Bad("PUT", "processes/12345/resume", 422, ("12345", "UUID"), json=[]),
    "malformed UUID of a subscription": Bad("GET", "subscriptions/domain-model/x", 422, ("'x'", "UUID")),
    "unknown field to filter by": Bad("GET", "processes/?filter=colour,red", 400, ("'colour'", "last_status")),
    "unknown field to sort by": Bad("GET", "processes/?sort=colour,asc", 400, ("'colour'", "started_at")),
    "value that does not fit its filter": Bad("GET", "processes/?filter=process_id,x", 400, ("'x'", "UUID")),
    "negative page": Bad("GET", "processes/?page=-1", 422, ("page",)),
    "page of too many": Bad("GET", "processes/?page_size=100000", 422, ("page_size",)),
    "cursor of somebody else": Bad("GET", "processes/?cursor=abc", 400, ("cursor",)),
    "form instead of JSON": Bad(
        "POST", "processes/ten_steps", 415, ("application/json",), content=b"a=b",
        content_type="application/x-www-form-urlencoded",
    ),
    "method that is not there": Bad("DELETE", "products/", 405, ()),
    "path that is not there": Bad("GET", "colours/", 404, ()),
}  # fmt: skip


@pytest.mark.parametrize("bad", BAD.values(), ids=[name.replace(" ", "-") for name in BAD])
def test_what_cannot_be_used_is_refused_with_a_sentence(system: RunningSystem, bad: Bad) -> None:
    before = system.rows("SELECT count(*) FROM processes")
    content = {"json": bad.json} if bad.content is None and bad.json is not None else {"content": bad.content}
    headers = {} if bad.content is None else {"Content-Type": bad.content_type}
    answer = system.api.request(bad.method, f"/api/{bad.path}", headers=headers, **content)
    problem(answer, bad.status, *bad.words)
    assert system.rows("SELECT count(*) FROM processes") == before


@pytest.mark.parametrize("announced", [True, False], ids=["with-its-length", "in-chunks"])
def test_a_body_of_20_mb_is_refused(system: RunningSystem, announced: bool) -> None:
    body = b'[{"gate": "' + b"x" * 20_000_000 + b'"}]'
    content = body if announced else iter(body[start : start + 65_536] for start in range(0, len(body), 65_536))
    with httpx.Client(base_url=system.api.base_url, timeout=30) as client:
        answer = client.post(
            "/api/processes/write_ledger", content=content, headers={"Content-Type": "application/json"}
        )
    problem(answer, 413, "bytes")


def test_a_host_or_a_page_from_elsewhere_is_refused(system: RunningSystem) -> None:
    problem(system.api.get("/api/processes/", headers={"Host": "evil.example"}), 421, "evil.example")
    elsewhere = {"Origin": "https://evil.example"}
    problem(system.api.post("/api/processes/ten_steps", json=[], headers=elsewhere), 403, "evil.example")


def test_a_stale_version_is_refused_with_both_versions(system: RunningSystem) -> None:
    thing = system.new_thing()
    version = system.api.get(f"/api/subscriptions/{thing}").json()["version"]
    page = {"subscription_id": thing, "version": version - 1}
    found = problem(system.post("modify_thing", page), 400, str(version), str(version - 1), "Stale data")
    assert found["validation_errors"][0]["loc"] == ["version"]
    assert system.post("modify_thing", {**page, "version": version}).status_code == 510


def test_a_workflow_that_may_not_run_is_refused_with_its_reason(system: RunningSystem) -> None:
    thing = system.new_thing()
    system.run("terminate_thing", {"subscription_id": thing})
    said = ("subscription.no_modify_invalid_status", "terminated", "active")
    problem(system.post("modify_thing", {"subscription_id": thing}), 400, *said)


def test_a_workflow_of_another_product_is_refused(system: RunningSystem) -> None:
    page = {"subscription_id": system.new_thing()}
    problem(system.post("provision_node_enrollment", page), 400, "provision_node_enrollment", "Thing")


def test_a_process_that_has_ended_cannot_be_resumed_or_aborted(system: RunningSystem) -> None:
    process_id = system.run("ten_steps")["process_id"]
    path = f"/api/processes/{process_id}"
    problem(system.api.put(f"{path}/resume", json=[]), 409, process_id, "completed")
    problem(system.api.put(f"{path}/abort"), 409, "completed")


def test_a_process_that_runs_cannot_be_resumed_and_is_aborted_once(system: RunningSystem) -> None:
    gate = system.new_gate()
    process_id = system.start("write_ledger", {"gate": gate.name})
    gate.wait_for_visits(1)
    path = f"/api/processes/{process_id}"
    problem(system.api.put(f"{path}/resume", json=[]), 409, process_id, "running")
    problem(system.api.delete(path), 409, "running")
    assert system.api.put(f"{path}/abort", json={"reason": "a test"}).status_code == 204
    problem(system.api.put(f"{path}/abort"), 409, "aborted")
    problem(system.api.put(f"{path}/resume", json=[]), 409, "aborted")
    gate.open()


def test_a_process_that_failed_takes_no_input(system: RunningSystem) -> None:
    gate = system.new_gate()
    process_id = system.start("fail_until_open", {"gate": gate.name})
    system.wait_for(process_id, "failed")
    path = f"/api/processes/{process_id}/resume"
    problem(system.api.put(path, json=[{"colour": "red"}]), 400, "colour")
    problem(system.api.put(path, content=b"[", headers={"Content-Type": "application/json"}), 400, "not JSON")
    problem(system.api.put(path, json="red"), 422, "list")
    assert system.show(process_id)["last_status"] == "failed"


def test_only_tasks_can_be_deleted(system: RunningSystem) -> None:
    created = system.run("create_thing", {"product": system.product_id("Thing")}, {"colour": "red"})
    problem(system.api.delete(f"/api/processes/{created['process_id']}"), 400, "task", "create_thing")
    task_id = system.run("ten_steps")["process_id"]
    assert system.api.delete(f"/api/processes/{task_id}").status_code == 204
    problem(system.api.get(f"/api/processes/{task_id}"), 404, task_id)
    (deleted,) = [
        entry for entry in system.api.get(f"/api/processes/{task_id}/audit").json() if entry["action"] == "delete"
    ]
    assert deleted["object_id"] == task_id
