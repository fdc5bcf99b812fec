"""The product "L2VPN" from creation to end, and what it and its ports do to each other."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.testing import AnswersRefused
from product_workflows.port.models import Port, PortMode
from tests.product_workflows.network import Network, ids


def test_the_form_has_a_page_for_each_tagged_port_and_none_for_the_others(network: Network) -> None:
    node = network.node()
    tagged, untagged = network.port(node), network.port(node, port_mode=PortMode.UNTAGGED)
    form = network.workbench.form("create_l2vpn", product="L2VPN")
    assert form.page.choices("ports") == ids([tagged, untagged])
    assert "at least 2 and at most 8" in form.errors(organisation="u", ports=ids([tagged]))["ports"]
    assert "chosen twice" in form.errors(organisation="u", ports=ids([tagged, tagged]))["ports"]
    both = ids([tagged, untagged])
    assert "has 10000 Mbit/s" in form.errors(organisation="u", ports=both, bandwidth=10_001)["bandwidth"]

    form.answer(organisation="university", ports=both, bandwidth=10_000)
    assert form.page.title == "VLANs on ams-cr6 xe-1-2"
    assert "10-5 is not within 2 to 4094" in form.errors(vlans="10-5")["vlans"]
    summary = form.answer(vlans="12, 10-11").page
    assert summary.schema["properties"]["summary"]["extraProperties"]["data"]["columns"][0] == [
        "university",
        10_000,
        "10-12",
        "untagged",
    ]
    l2vpn = form.answer().submit().expect("completed").subscription
    points = l2vpn.values["circuit"]["access_points"]
    assert [point["title"] for point in points] == ["ams-cr6 xe-1-2: 10-12", "ams-cr6 xe-1-3: untagged"]

    third = network.port(node)
    again = network.workbench.form("create_l2vpn", product="L2VPN")
    assert "it is untagged and is in use" in again.errors(organisation="u", ports=ids([untagged, third]))["ports"]
    again.answer(organisation="u", ports=ids([tagged, third]))
    assert f"VLAN 12 is in use by subscription {l2vpn.subscription_id}" in again.errors(vlans="12-13")["vlans"]


def test_a_circuit_lives_from_its_creation_to_its_end(network: Network) -> None:
    first, second, third = network.ports(3)
    create = network.start_l2vpn([first, second], "100-110", "200")
    l2vpn = create.expect("completed").subscription.expect("active", insync=True)
    assert l2vpn.depends_on == [first, second]
    assert l2vpn.values["circuit"]["is_point_to_point"] is True
    assert l2vpn.description == "L2VPN 500 Mbit/s between ams-cr6 xe-1-2: 100-110, ams-cr6 xe-1-3: 200"
    bench = network.workbench
    bench.start("validate_l2vpn", subscription=l2vpn).expect("completed")

    form = bench.form("modify_l2vpn", subscription=l2vpn)
    assert form.page.defaults == {"ports": ids([first, second]), "bandwidth": 500}
    form.answer(ports=ids([third, first]), bandwidth=800)
    form.answer(vlans="300")
    assert form.page.defaults == {"vlans": "100-110"}
    kept = l2vpn.values["circuit"]["access_points"][0]["subscription_instance_id"]
    form.answer(vlans="105-120").answer().submit().expect("completed")
    points = l2vpn.values["circuit"]["access_points"]
    assert [point["title"] for point in points] == ["ams-cr6 xe-1-4: 300", "ams-cr6 xe-1-2: 105-120"]
    assert points[1]["subscription_instance_id"] == kept
    assert second.in_use_by == []
    bench.start("validate_l2vpn", subscription=l2vpn).expect("completed")

    (circuit,) = {call["path"] for call in network.lab.get("/lab/calls").json() if "/circuits/" in call["path"]}
    network.lab.delete(circuit)
    bench.start("validate_l2vpn", subscription=l2vpn).expect("inconsistent_data", reason="not found in NSO")
    bench.start("reconcile_l2vpn", subscription=l2vpn).expect("completed")
    bench.start("validate_l2vpn", subscription=l2vpn).expect("completed")

    bench.start("terminate_l2vpn", subscription=l2vpn).expect("completed")
    assert l2vpn.expect("terminated", insync=True).description == "L2VPN 800 Mbit/s (ended)"
    assert network.lab.get(circuit).status_code == 404
    network.l2vpn([first, third], "105-120", "300")


def test_at_most_eight_access_points_count_those_that_are_given_up(network: Network) -> None:
    nodes = [network.node() for _ in range(3)]
    ports = [network.port(node) for node in nodes for _ in range(3)]
    l2vpn = network.l2vpn(ports[:7], *["100"] * 7)
    form = network.workbench.form("modify_l2vpn", subscription=l2vpn)
    assert "there would be 9" in form.errors(ports=ids([ports[0], *ports[7:]]))["ports"]
    form.answer(ports=ids([ports[0], ports[7]]))


def test_a_port_whose_circuit_is_out_of_sync_cannot_be_changed(network: Network) -> None:
    ports = network.ports(2)
    l2vpn = network.l2vpn(ports, "100", "200")
    network.workbench.fail_step("change_in_nso")
    change: list[dict[str, Any]] = [{}, {"vlans": "100"}, {"vlans": "201"}, {}]
    modify = network.workbench.start("modify_l2vpn", subscription=l2vpn, answers=change).expect("failed")
    for workflow in ("modify_port", "migrate_port", "terminate_port"):
        with pytest.raises(AnswersRefused, match=f"{l2vpn.subscription_id}.*relations_not_in_sync"):
            network.workbench.start(workflow, subscription=ports[0])
    modify.resume().expect("completed")
    for workflow in ("migrate_port", "terminate_port"):
        with pytest.raises(AnswersRefused, match=f"{l2vpn.subscription_id}.*in_use_by_others"):
            network.workbench.start(workflow, subscription=ports[0])


def test_the_mode_of_a_port_in_use_stays(network: Network) -> None:
    ports = network.ports(2)
    network.l2vpn(ports, "100", "200")
    change = [{"port_mode": "untagged"}, {}]
    network.workbench.start("modify_port", subscription=ports[0], answers=change).expect(
        "failed", at="change_settings", reason="cannot change while services use it"
    )


def test_of_two_circuits_that_want_a_vlan_one_gets_it_and_the_other_is_told(network: Network) -> None:
    ports = network.ports(3)
    one = network.start_l2vpn(ports[:2], "100-105", "200", run=False)
    other = network.start_l2vpn(ports[1:], "200-210", "300", run=False)
    network.workbench.run()
    winner = one.expect("completed").subscription
    other.expect("failed", at="reserve_vlans", reason=f"VLAN 200 is in use by subscription {winner.subscription_id}")
    other.subscription.expect("initial")
    network.workbench.start("terminate_l2vpn", subscription=winner).expect("completed")
    other.resume().expect("completed")


@pytest.mark.parametrize("before", list(PortMode))
def test_a_port_that_has_another_mode_since_the_form_was_filled_in_is_not_used(
    network: Network, before: PortMode
) -> None:
    node = network.node()
    ports = [network.port(node, port_mode=before), network.port(node)]
    vlans = ["100", "200"] if before is PortMode.TAGGED else ["200"]
    l2vpn = network.start_l2vpn(ports, *vlans, run=False)
    after = next(mode for mode in PortMode if mode is not before)
    with network.workbench.transaction():
        port = Port.from_subscription(ports[0].subscription_id)
        port.port.port_mode = after
        port.save()
    network.workbench.run()
    l2vpn.expect("failed", at="reserve_vlans", reason=f"port ams-cr6 xe-1-2 is {after.value} now")


def test_a_port_that_is_being_terminated_is_not_used_by_a_circuit(network: Network) -> None:
    ports = network.ports(2)
    l2vpn = network.start_l2vpn(ports, "100", "200", run=False)
    terminate = network.workbench.start("terminate_port", subscription=ports[0], run=False)
    network.workbench.run()
    terminate.expect("completed")
    l2vpn.expect("failed", at="reserve_vlans", reason="cannot be used")
    assert l2vpn.subscription.values["circuit"]["access_points"] == []


def test_a_port_that_a_circuit_uses_since_the_terminate_was_started_is_not_terminated(network: Network) -> None:
    ports = network.ports(2)
    network.workbench.fail_step("store_process_subscription")
    terminate = network.workbench.start("terminate_port", subscription=ports[0]).expect("failed")
    l2vpn = network.l2vpn(ports, "100", "200")
    terminate.resume().expect("failed", at="unsync", reason=f"use this one: {l2vpn.subscription_id}")
    ports[0].expect("active", insync=True)
    network.workbench.start("terminate_l2vpn", subscription=l2vpn).expect("completed")
    terminate.resume().expect("completed")


STEPS = {
    "create_l2vpn": ("construct_l2vpn_model", "reserve_vlans", "connect_in_nso", "activate"),
    "modify_l2vpn": ("reserve_vlans", "change_in_nso", "give_up"),
    "reconcile_l2vpn": ("connect_again",),
    "terminate_l2vpn": ("remove_from_nso", "update_description", "set_status_terminated"),
}


@pytest.mark.parametrize("lost", [False, True], ids=["failed", "worker lost"])
def test_every_step_can_be_resumed_and_survives_its_worker(network: Network, lost: bool) -> None:
    ports = network.ports(3)
    circuit = {"organisation": "university", "ports": ids(ports[:2]), "bandwidth": 500}
    all_answers: dict[str, list[dict[str, Any]]] = {
        "create_l2vpn": [circuit, {"vlans": "100"}, {"vlans": "200"}, {}],
        "modify_l2vpn": [{"ports": ids(ports[1:])}, {"vlans": "201"}, {"vlans": "300"}, {}],
    }
    network.live_through(STEPS, "L2VPN", all_answers, lost=lost).expect("terminated", insync=True)
    done = [effect.rpartition(" ")[0] for effect in network.effects("nso") if "circuit" in effect]
    assert done == ["create circuit", "change circuit", "delete circuit"]
