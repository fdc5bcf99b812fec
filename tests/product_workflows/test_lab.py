"""The lab over real HTTP: what the examples' outside world promises."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

RESERVATION = "/esdb/nodes/101/reservation"
DEVICE = "/nso/devices/ams-cr6"


def effects(lab: httpx.Client) -> list[str]:
    return [f"{effect['action']} {effect['object']}" for effect in lab.get("/lab/effects").json()]


def put_fault(lab: httpx.Client, **fault: Any) -> None:
    assert lab.put("/lab/faults", json=fault).status_code == 200


def test_a_call_repeated_with_its_key_has_one_effect_and_one_answer(lab: httpx.Client) -> None:
    key = {"Idempotency-Key": "process/create_device/1"}
    answers = [lab.put(DEVICE, json={"role": "core"}, headers=key) for _ in range(3)]
    lab.delete(DEVICE)
    answers.append(lab.put(DEVICE, json={"role": "core"}, headers=key))

    assert [answer.status_code for answer in answers] == [200] * 4
    assert len({answer.text for answer in answers}) == 1
    assert effects(lab) == ["create device ams-cr6", "delete device ams-cr6"]
    assert [call["key"] for call in lab.get("/lab/calls").json()].count("process/create_device/1") == 4


def test_calls_at_the_same_moment_with_one_key_have_one_effect(lab: httpx.Client) -> None:
    def create(_: int) -> int:
        return lab.put(DEVICE, json={}, headers={"Idempotency-Key": "same"}).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(create, range(16))) == {200}
    assert effects(lab) == ["create device ams-cr6"]


def test_a_key_used_with_another_body_is_refused(lab: httpx.Client) -> None:
    key = {"Idempotency-Key": "same"}
    lab.put(DEVICE, json={"role": "core"}, headers=key)
    answer = lab.put(DEVICE, json={"role": "edge"}, headers=key)

    assert answer.status_code == 422
    assert "another body" in answer.json()["error"]


def test_a_call_that_was_refused_may_succeed_with_the_same_key(lab: httpx.Client) -> None:
    lab.put(RESERVATION, json={"subscription_id": "first"})
    key = {"Idempotency-Key": "second"}
    assert lab.put(RESERVATION, json={"subscription_id": "second"}, headers=key).status_code == 409
    lab.delete(RESERVATION)
    assert lab.put(RESERVATION, json={"subscription_id": "second"}, headers=key).json()["reserved_for"] == "second"


def test_a_fault_fails_as_many_calls_as_it_was_told(lab: httpx.Client) -> None:
    put_fault(lab, path="/nso", times=2, status=503)

    assert lab.get("/esdb/nodes/101").status_code == 200
    assert [lab.put(DEVICE, json={}).status_code for _ in range(3)] == [503, 503, 200]
    assert lab.get("/lab/faults").json() == []
    assert effects(lab) == ["create device ams-cr6"]


def test_a_wrong_answer_comes_after_the_effect_and_the_retry_gets_the_right_one(lab: httpx.Client) -> None:
    put_fault(lab, path="/nso", method="PUT", answer="malformed")
    key = {"Idempotency-Key": "once"}

    with pytest.raises(json.JSONDecodeError):
        lab.put(DEVICE, json={}, headers=key).json()
    assert lab.put(DEVICE, json={}, headers=key).json()["name"] == "ams-cr6"
    assert effects(lab) == ["create device ams-cr6"]


def test_a_fault_can_answer_with_a_body_of_ones_own_until_it_is_removed(lab: httpx.Client) -> None:
    put_fault(lab, path="/esdb/nodes/101", times=None, answer={"name": "wrong"})
    assert [lab.get("/esdb/nodes/101").json() for _ in range(2)] == [{"name": "wrong"}] * 2
    lab.delete("/lab/faults")
    assert lab.get("/esdb/nodes/101").json()["name"] == "ams-cr6"


def test_a_slow_answer_meets_the_callers_time_limit(lab: httpx.Client) -> None:
    put_fault(lab, path="/nso", seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        lab.get("/nso/devices", timeout=0.1)
    assert lab.get("/nso/devices", timeout=0.4).json() == []


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ({"path": "/nso"}, "needs a status, an answer or some seconds"),
        ({"path": "/lab", "status": 500}, "path"),
        ({"path": "/nso", "status": 200}, "status"),
        ({"path": "/nso", "status": 500, "tims": 2}, "tims"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(lab: httpx.Client, fault: dict[str, Any], complaint: str) -> None:
    answer = lab.put("/lab/faults", json=fault)
    assert answer.status_code == 422
    assert complaint in answer.json()["error"]


def test_what_is_not_there_says_so(lab: httpx.Client) -> None:
    assert lab.get("/esdb/nodes/1").json() == {"status": 404, "error": "ESDB has no node 1"}
    assert lab.put("/nso/devices/x/services/system", json={}).json()["error"] == "NSO has no device x"
    assert lab.put(RESERVATION, json={}).status_code == 422
    assert lab.put(RESERVATION, json=[]).status_code == 422
    assert lab.put(RESERVATION, content=b"{", headers={"Content-Type": "application/json"}).status_code == 400
    assert lab.get("/elsewhere").status_code == 404


def test_reset_forgets_everything(lab: httpx.Client) -> None:
    put_fault(lab, path="/nso", times=5, status=500)
    lab.put(RESERVATION, json={"subscription_id": "first"}, headers={"Idempotency-Key": "k"})
    lab.post("/lab/reset")

    assert lab.get("/lab/calls").json() == lab.get("/lab/effects").json() == lab.get("/lab/faults").json() == []
    assert lab.get("/esdb/nodes/101").json()["reserved_for"] is None


def test_it_runs_as_a_process_of_its_own_and_ends_on_sigterm() -> None:
    command = [sys.executable, "-m", "product_workflows.lab", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        assert len(httpx.get(f"{address}/esdb/nodes").json()) == 8
        process.send_signal(signal.SIGTERM)
        assert process.wait(5) == 0
