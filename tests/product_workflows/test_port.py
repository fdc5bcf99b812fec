"""The products "Port ..." from creation to end, with what stands in their way."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from orchestrator.testing import AnswersRefused
from tests.product_workflows.network import Network

MONITORING = {"interval_seconds": 30, "alarms_to": "noc@example.net"}
SERVICE = "/nso/devices/ams-cr6/services/port-xe-1-2"


def test_the_form_offers_nodes_and_free_ports_of_the_speed_and_asks_how_to_watch_only_if_it_is_wanted(
    network: Network,
) -> None:
    node = network.node()
    network.lab.put("/esdb/ports/10103/reservation", json={"subscription_id": "another"})
    form = network.workbench.form("create_port", product="Port 10G")
    assert form.page.choices("node_subscription_id") == [str(node.subscription_id)]
    assert form.errors(organisation="u", node_subscription_id="x")["node_subscription_id"].startswith("x is not among")

    form.answer(organisation="university", node_subscription_id=str(node.subscription_id))
    assert form.page.choices("esdb_port_id") == ["10102", "10104"]
    assert list(form.errors(esdb_port_id="10103", mtu=100, port_mode="?")) == ["esdb_port_id", "port_mode", "mtu"]

    form.answer(esdb_port_id="10102", monitored=True)
    assert form.page.fields == ("interval_seconds", "alarms_to")
    assert list(form.errors(interval_seconds=1, alarms_to="nobody")) == ["interval_seconds", "alarms_to"]
    summary = form.answer(MONITORING).page
    assert (summary.fields, summary.has_next) == (("summary",), False)
    assert form.answer().entered["monitoring"] == MONITORING

    unwatched = network.workbench.form("create_port", product="Port 10G")
    unwatched.answer(form.answers[1]).answer(esdb_port_id="10102", monitored=False)
    assert unwatched.page.fields == ("summary",)
    assert unwatched.answer().entered["monitoring"] is None


def test_without_a_node_or_without_esdb_the_form_says_so(network: Network) -> None:
    form = network.workbench.form("create_port", product="Port 10G")
    assert "no node that is active" in form.errors(organisation="u", node_subscription_id="x")["node_subscription_id"]
    node = network.node()
    network.fault(path="/esdb/nodes", method="GET", times=None, status=503)
    again = network.workbench.form("create_port", product="Port 10G")
    again.answer(organisation="u", node_subscription_id=str(node.subscription_id))
    assert "ESDB cannot say which ports are free" in again.errors(esdb_port_id="10102")["esdb_port_id"]


def test_a_port_lives_from_its_creation_to_its_end(network: Network) -> None:
    node = network.node()
    *answers, last = network.port_answers(node, monitored=True)
    create = network.workbench.start("create_port", product="Port 10G", answers=[*answers, MONITORING, last])
    port = create.expect("completed").subscription.expect("active", insync=True)
    told = [step.delta["subscription"]["description"] for step in create.steps if "subscription" in step.delta]
    assert list(dict.fromkeys(told)) == [
        "Port 10G xe-1-2 on ams-cr6 (planned)",
        "Port 10G xe-1-2 on ams-cr6 (being configured)",
        "Port 10G xe-1-2 on ams-cr6, tagged",
    ]
    values = port.values["port"]
    assert values["node"]["owner_subscription_id"] == str(node.subscription_id)
    assert (values["interface"]["name"], values["monitoring"]["interval_seconds"]) == ("Fibre Interface", 30)
    assert (values["service_name"], port.values["speed"]) == ("port-xe-1-2", 10_000)
    assert node.in_use_by == [port]

    network.workbench.start("validate_port", subscription=port).expect("completed")
    changed = [{"port_mode": "untagged", "mtu": 1500, "monitored": False}, {}]
    network.workbench.start("modify_port", subscription=port, answers=changed).expect("completed")
    assert port.values["port"]["monitoring"] is None
    assert network.lab.get("/nso/devices/ams-cr6").json()["services"]["port-xe-1-2"]["mode"] == "untagged"
    network.workbench.start("validate_port", subscription=port).expect("completed")

    network.workbench.start("terminate_port", subscription=port).expect("completed")
    assert port.expect("terminated", insync=True).description == "Port 10G xe-1-2 on ams-cr6 (given back)"
    assert network.effects("nso") == ["configure port-xe-1-2 ams-cr6"] * 2 + ["delete port-xe-1-2 ams-cr6"]
    assert network.effects("esdb") == ["reserve ams-cr6 xe-1-2", "release ams-cr6 xe-1-2"]
    network.workbench.start("terminate_node_enrollment", subscription=node).expect("completed")


def test_a_port_with_copper_has_another_kind_of_block(network: Network) -> None:
    interface = network.port(network.node(), "Port 1G").values["port"]["interface"]
    assert interface["name"] == "Copper Interface"
    assert interface["auto_negotiation"] is True


@pytest.mark.parametrize(
    ("step_key", "fault"),
    [("reserve_in_esdb", {"answer": "malformed"}), ("configure_in_nso", {"answer": {"name": "wrong"}})],
)
def test_each_effect_of_a_create_happens_once_whatever_the_answer_was(
    network: Network, step_key: str, fault: dict[str, Any]
) -> None:
    node = network.node()
    path = "/esdb/ports/10102/reservation" if step_key == "reserve_in_esdb" else SERVICE
    answers = network.port_answers(node)
    network.fault(path=path, method="PUT", **fault)
    create = network.workbench.start("create_port", product="Port 10G", answers=answers)
    create.expect("failed", at=step_key).resume().expect("completed")
    assert network.effects("esdb") == ["reserve ams-cr6 xe-1-2"]
    assert network.effects("nso") == ["configure port-xe-1-2 ams-cr6"]


STEPS = {
    "create_port": (
        "construct_port_model",
        "reserve_in_esdb",
        "prepare_configuration",
        "configure_in_nso",
        "activate",
    ),
    "modify_port": ("unsync", "change_settings", "change_in_nso", "resync"),
    "migrate_port": (
        "reserve_new_port",
        "change_product",
        "configure_new_port",
        "remove_old_port",
        "release_old_port",
    ),
    "reconcile_port": ("reserve_again", "configure_again"),
    "terminate_port": ("load_port", "remove_from_nso", "release_in_esdb", "update_description"),
}


@pytest.mark.parametrize("lost", [False, True], ids=["failed", "worker lost"])
def test_every_step_can_be_resumed_and_survives_its_worker(network: Network, lost: bool) -> None:
    node = network.node()
    new_product = {"new_product": str(network.workbench.product_id("Port 100G"))}
    all_answers = {
        "create_port": network.port_answers(node),
        "modify_port": [{"mtu": 1600, "monitored": True}, MONITORING, {}],
        "migrate_port": [new_product, {"new_esdb_port_id": "10105"}, {}],
    }
    network.live_through(STEPS, "Port 10G", all_answers, lost=lost).expect("terminated", insync=True)
    assert network.effects("esdb") == [
        "reserve ams-cr6 xe-1-2",
        "reserve ams-cr6 et-2-1",
        "release ams-cr6 xe-1-2",
        "release ams-cr6 et-2-1",
    ]
    assert network.effects("nso") == [
        "configure port-xe-1-2 ams-cr6",
        "configure port-xe-1-2 ams-cr6",
        "configure port-et-2-1 ams-cr6",
        "delete port-xe-1-2 ams-cr6",
        "delete port-et-2-1 ams-cr6",
    ]


def test_a_port_migrates_to_a_product_of_another_speed_and_keeps_its_block(network: Network) -> None:
    node = network.node()
    port = network.port(node, "Port 10G")
    before = port.values
    bench = network.workbench
    form = bench.form("migrate_port", subscription=port)
    assert str(bench.product_id("Port 10G")) not in form.page.choices("new_product")
    form.answer(new_product=str(bench.product_id("Port 1G")))
    assert form.page.choices("new_esdb_port_id") == ["10101"]
    form.answer(new_esdb_port_id="10101").answer().submit().expect("completed")

    after = port.values
    assert (port.product, after["speed"], port.status) == ("Port 1G", 1_000, "active")
    assert after["port"]["subscription_instance_id"] == before["port"]["subscription_instance_id"]
    assert (after["port"]["interface"]["name"], after["port"]["port_name"]) == ("Copper Interface", "ge-1-1")
    assert network.lab.get("/esdb/ports/10102").json()["reserved_for"] is None
    assert sorted(network.lab.get("/nso/devices/ams-cr6").json()["services"]) == ["port-ge-1-1"]
    bench.start("validate_port", subscription=port).expect("completed")


def test_what_another_subscription_has_is_left_alone_by_a_terminate_after_a_create_that_failed(
    network: Network,
) -> None:
    node = network.node()
    answers = network.port_answers(node)
    late = network.workbench.start("create_port", product="Port 10G", answers=answers, run=False)
    network.lab.put("/esdb/ports/10102/reservation", json={"subscription_id": "another"})
    network.lab.put(SERVICE, json={"of": "another"})
    network.workbench.run()
    late.expect("failed", at="reserve_in_esdb", reason="reserved for another")
    port = late.subscription.expect("initial")
    late.abort("taken", release_subscription=True)

    network.workbench.start("terminate_port", subscription=port).expect("completed")
    assert network.lab.get("/esdb/ports/10102").json()["reserved_for"] == "another"
    assert "port-xe-1-2" in network.lab.get("/nso/devices/ams-cr6").json()["services"]


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (lambda lab: lab.delete("/esdb/ports/10102/reservation"), "is reserved for None in ESDB"),
        (lambda lab: lab.put(SERVICE, json={}), "the subscription says"),
        (lambda lab: lab.delete("/nso/devices/ams-cr6"), "Device ams-cr6 not found"),
    ],
)
def test_validate_finds_what_differs_and_reconcile_mends_what_it_can(
    network: Network, spoil: Callable[[httpx.Client], httpx.Response], complaint: str
) -> None:
    port = network.port(network.node())
    assert spoil(network.lab).status_code == 200
    bench = network.workbench
    bench.start("validate_port", subscription=port).expect("inconsistent_data", reason=complaint)
    port.expect("active", insync=True)
    if "not found" in complaint:
        bench.start("reconcile_port", subscription=port).expect("failed", reason="404")
    else:
        bench.start("reconcile_port", subscription=port).expect("completed")
        bench.start("validate_port", subscription=port).expect("completed")


def test_a_node_with_a_port_cannot_be_terminated(network: Network) -> None:
    node = network.node()
    port = network.port(node)
    with pytest.raises(AnswersRefused, match=f"{port.subscription_id}.*no_modify_subscription_in_use_by_others"):
        network.workbench.start("terminate_node_enrollment", subscription=node)
