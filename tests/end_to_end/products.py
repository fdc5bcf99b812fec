"""Nodes, ports and circuits, made by a client that fills in one page after the other."""

from __future__ import annotations

import httpx

from tests.end_to_end.running_system import Json, RunningSystem


def fill_in(system: RunningSystem, workflow: str, *pages: Json) -> httpx.Response:
    """Post page after page, as a person does: each but the last is answered with the next one; the last answer."""
    for count in range(1, len(pages)):
        answer = system.post(workflow, *pages[:count])
        assert answer.status_code == 510, answer.text
    return system.post(workflow, *pages)


def run(system: RunningSystem, workflow: str, *pages: Json) -> Json:
    """Fill in a form and wait until the process is completed."""
    answer = fill_in(system, workflow, *pages)
    assert answer.status_code == 201, answer.text
    return system.wait_for(answer.json()["id"], "completed")


def subscription(system: RunningSystem, subscription_id: str) -> Json:
    """The subscription as its domain model."""
    answer = system.api.get(f"/api/subscriptions/domain-model/{subscription_id}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def node_pages(system: RunningSystem, organisation: str) -> list[Json]:
    """The pages of create_node_enrollment, each filled in as the page before allows."""
    product = {"product": system.product_id("Node Enrollment")}
    asked = system.post("create_node_enrollment", product)
    assert asked.status_code == 510, asked.text
    assert asked.json()["meta"] == {"hasNext": True}
    node = asked.json()["form"]["properties"]["select_node"]["enum"][0]
    chosen = {"organisation": organisation, "select_node": node}
    shown = system.post("create_node_enrollment", product, chosen)
    assert shown.status_code == 510, shown.text
    assert shown.json()["meta"] == {"hasNext": False}
    suggested = {name: field["default"] for name, field in shown.json()["form"]["properties"].items()}
    return [product, chosen, suggested]


def new_node(system: RunningSystem) -> str:
    """A node in production; the id of its subscription."""
    created = system.run("create_node_enrollment", *node_pages(system, "university"))
    subscription_id = str(created["current_state"]["subscription_id"])
    system.run("provision_node_enrollment", {"subscription_id": subscription_id})
    return subscription_id


def port_pages(system: RunningSystem, product: str, node: str, **settings: object) -> list[Json]:
    """The pages of create_port, on the first port of the node that is free."""
    first = [
        {"product": system.product_id(product)},
        {"organisation": "university", "node_subscription_id": node},
    ]
    asked = system.post("create_port", *first)
    assert asked.status_code == 510, asked.text
    port = asked.json()["form"]["properties"]["esdb_port_id"]["enum"][0]
    return [*first, {"esdb_port_id": port, "monitored": False, **settings}, {}]


def new_port(system: RunningSystem, product: str, node: str, **settings: object) -> str:
    """A port in use; the id of its subscription."""
    created = run(system, "create_port", *port_pages(system, product, node, **settings))
    return str(created["current_state"]["subscription_id"])


def l2vpn_pages(system: RunningSystem, ports: list[str], *vlans: str) -> list[Json]:
    """The pages of create_l2vpn: its ports, and the VLANs on each of them that is tagged."""
    return [
        {"product": system.product_id("L2VPN")},
        {"organisation": "university", "ports": ports, "bandwidth": 500},
        *({"vlans": one} for one in vlans),
        {},
    ]
