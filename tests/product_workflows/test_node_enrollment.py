"""The product "Node Enrollment" from its creation to its end, against the lab over HTTP, with its faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from orchestrator.testing import BenchProcess, Workbench

ANSWERS: list[dict[str, Any]] = [{"organisation": "university", "select_node": "ams-cr6"}, {}]


def create(workbench: Workbench) -> BenchProcess:
    return workbench.start("create_node_enrollment", product="Node Enrollment", answers=ANSWERS)


def effects(lab: httpx.Client) -> list[str]:
    return [effect["action"] for effect in lab.get("/lab/effects").json()]


def put_fault(lab: httpx.Client, **fault: Any) -> None:
    assert lab.put("/lab/faults", json=fault).status_code == 200


def test_a_node_is_enrolled_provisioned_validated_modified_and_terminated(
    workbench: Workbench, lab: httpx.Client
) -> None:
    node = create(workbench).expect("completed").subscription.expect("provisioning", insync=True)
    assert node.description == "Node ams-cr6 Provisioned (without system service)"

    for name, after in (
        ("validate_node_enrollment", "provisioning"),
        ("provision_node_enrollment", "active"),
        ("validate_node_enrollment", "active"),
        ("terminate_node_enrollment", "terminated"),
    ):
        workbench.start(name, subscription=node).expect("completed")
        node.expect(after, insync=True)

    assert effects(lab) == ["reserve", "create device", "configure system", "delete device", "release"]
    assert lab.get("/esdb/nodes/101").json()["reserved_for"] is None


@pytest.mark.parametrize("answer", ["malformed", "empty", {"name": "wrong"}])
@pytest.mark.parametrize("path", ["/esdb/nodes/101/reservation", "/nso/devices"])
def test_an_effect_with_a_spoiled_answer_happens_once_when_the_step_is_resumed(
    workbench: Workbench, lab: httpx.Client, path: str, answer: Any
) -> None:
    put_fault(lab, path=path, method="PUT", answer=answer)
    create(workbench).expect("failed").resume().expect("completed")

    assert effects(lab) == ["reserve", "create device"]
    keys = [call["key"] for call in lab.get("/lab/calls").json() if call["path"].startswith(path) and call["key"]]
    assert len(keys) == 2
    assert len(set(keys)) == 1


@pytest.mark.parametrize("step_key", ["reserve_in_esdb", "configure_in_nso"])
def test_an_effect_happens_once_when_the_worker_is_lost_that_had_it(
    workbench: Workbench, lab: httpx.Client, step_key: str
) -> None:
    workbench.lose_worker_in(step_key)
    process = create(workbench).expect("running", at=step_key)
    workbench.pass_time(seconds=1)

    process.expect("completed")
    assert process.step(step_key).attempt == 2
    assert effects(lab) == ["reserve", "create device"]


def test_a_system_that_answers_503_is_called_unavailable_and_the_step_can_be_resumed(
    workbench: Workbench, lab: httpx.Client
) -> None:
    put_fault(lab, path="/nso", times=2, status=503)
    process = create(workbench).expect("api_unavailable", at="configure_in_nso", reason="503")

    process.resume().expect("api_unavailable").resume().expect("completed")


def test_a_node_that_somebody_else_takes_in_the_meantime_is_not_taken(workbench: Workbench, lab: httpx.Client) -> None:
    process = workbench.start("create_node_enrollment", product="Node Enrollment", answers=ANSWERS, run=False)
    lab.put("/esdb/nodes/101/reservation", json={"subscription_id": "another"})
    workbench.run()

    process.expect("failed", at="reserve_in_esdb", reason="reserved for another")
    assert effects(lab) == ["reserve"]

    # Nor is it taken from them when this subscription is terminated.
    others = {"service_id": "another", "role": "core", "site_id": "ams", "routing_domain": "esnet-293"}
    assert lab.put("/nso/devices/ams-cr6", json=others).status_code == 200
    process.abort("taken", release_subscription=True)
    workbench.start("terminate_node_enrollment", subscription=process.subscription).expect("completed")
    assert effects(lab) == ["reserve", "create device"]


def test_terminate_undoes_a_create_that_never_came_to_its_end(workbench: Workbench, lab: httpx.Client) -> None:
    put_fault(lab, path="/nso", method="PUT", status=500)
    created = create(workbench).expect("failed")
    node = created.subscription.expect("initial", insync=False)
    created.abort("NSO does not take it", release_subscription=True)

    terminated = workbench.start("terminate_node_enrollment", subscription=node).expect("completed")
    assert terminated.state["removed_from_nso"] is False
    assert effects(lab) == ["reserve", "release"]
    node.expect("terminated")


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda lab: lab.delete("/nso/devices/ams-cr6"), "Device not found in NSO"),
        (lambda lab: lab.put("/nso/devices/ams-cr6", json={"routing_domain": "other"}), "the subscription says"),
        (lambda lab: lab.delete("/esdb/nodes/101/reservation"), "Node is reserved for None in ESDB"),
    ],
)
def test_validate_finds_what_the_systems_outside_know_otherwise(
    workbench: Workbench, lab: httpx.Client, spoil: Callable[[httpx.Client], httpx.Response], complaint: str
) -> None:
    node = create(workbench).subscription
    assert spoil(lab).status_code == 200

    workbench.start("validate_node_enrollment", subscription=node).expect("inconsistent_data", reason=complaint)
    node.expect("provisioning", insync=True)


def test_modify_stops_at_its_input_step_and_changes_what_somebody_has_agreed_to(
    workbench: Workbench, lab: httpx.Client
) -> None:
    node = create(workbench).subscription
    process = workbench.start("modify_node_enrollment", subscription=node, answers=[{"routing_domain": "esnet-294"}])

    process.expect("suspended", at="agree_to_change")
    assert process.assignee == "NOC"
    assert process.step("plan_change").delta == {"change": {"routing_domain": {"from": "esnet-293", "to": "esnet-294"}}}
    assert node.values["ne"]["routing_domain"] == "esnet-293"

    process.resume({"agreed": True, "ticket": "CHG-1"}).expect("completed")
    assert node.values["ne"]["routing_domain"] == "esnet-294"
    assert lab.get("/nso/devices/ams-cr6").json()["routing_domain"] == "esnet-294"
