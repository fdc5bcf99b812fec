"""Nodes and ports for tests, written as their creates would leave them, and circuits made by their workflow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import uuid4

import httpx

from orchestrator import change_lifecycle
from orchestrator.testing import BenchProcess, BenchSubscription, Workbench
from product_workflows.node_enrollment.models import NodeEnrollment, NodeEnrollmentInactive
from product_workflows.port.models import CopperBlock, FibreBlock, Port, PortInactive, PortMode, describe
from product_workflows.port.settings_in_nso import settings_of

Answers = list[dict[str, Any]]


class Network:
    """What a test builds on the workbench, with the lab outside."""

    def __init__(self, workbench: Workbench, lab: httpx.Client) -> None:
        self.workbench = workbench
        self.lab = lab
        self._given = 0

    def node(self) -> BenchSubscription:
        """A node in production, the first that is free."""
        found = next(node for node in self.lab.get("/esdb/nodes").json() if node["reserved_for"] is None)
        with self.workbench.transaction():
            product = self.workbench.product_id("Node Enrollment")
            made = NodeEnrollmentInactive.from_product_id(product, "university", insync=True)
            made.ne.esdb_node_id, made.ne.esdb_node_uuid = found["id"], found["uuid"]
            made.ne.nso_service_id, made.ne.routing_domain = uuid4(), "esnet-293"
            node = change_lifecycle(made, "active")
            node.description = f"Node {found['name']} Production"
            node.save()
        self._put(f"/esdb/nodes/{found['id']}/reservation", subscription_id=str(node.subscription_id))
        device = {"service_id": str(made.ne.nso_service_id), "routing_domain": made.ne.routing_domain}
        self._put(f"/nso/devices/{found['name']}", role="core", site_id=found["name"][:3], **device)
        return self.workbench.subscription(node)

    def port_answers(self, node: BenchSubscription, product: str = "Port 10G", **settings: Any) -> Answers:
        """What makes a port, on the first place of the node that is free."""
        form = self.workbench.form("create_port", product=product)
        form.answer(organisation="university", node_subscription_id=str(node.subscription_id))
        place = form.page.choices("esdb_port_id")[0]
        return [*form.answers[1:], {"esdb_port_id": place, "monitored": False, **settings}, {}]

    def port(
        self, node: BenchSubscription, product: str = "Port 10G", port_mode: PortMode = PortMode.TAGGED
    ) -> BenchSubscription:
        """A port in use, on the first place of the node that is free."""
        block = node.load(NodeEnrollment).ne
        with self.workbench.transaction():
            made = PortInactive.from_product_id(self.workbench.product_id(product), "university", insync=True)
            places = self.lab.get(f"/esdb/nodes/{block.esdb_node_id}/ports").json()
            place = next(one for one in places if one["reserved_for"] is None and one["speed"] == made.speed)
            device = self.lab.get(f"/esdb/nodes/{block.esdb_node_id}").json()["name"]
            port = made.port
            port.esdb_port_id, port.port_name, port.port_mode = place["id"], place["name"], port_mode
            port.label, port.node = f"{device} {place['name']}", block
            port.interface = (CopperBlock if place["medium"] == "copper" else FibreBlock).new(made.subscription_id)
            active = change_lifecycle(made, "active")
            active.description = describe(active, device, active.status)
            active.save()
        assert isinstance(active, Port)
        self._put(f"/esdb/ports/{place['id']}/reservation", subscription_id=str(active.subscription_id))
        self._put(
            f"/nso/devices/{device}/services/{active.port.service_name}", **settings_of(active.port, active.speed)
        )
        return self.workbench.subscription(active)

    def ports(self, count: int) -> list[BenchSubscription]:
        """Ports in use on one node."""
        node = self.node()
        return [self.port(node) for _ in range(count)]

    def start_l2vpn(
        self, ports: list[BenchSubscription], *vlans: str, bandwidth: int = 500, run: bool = True
    ) -> BenchProcess:
        """A create of a circuit over these ports, with the VLANs on each that is tagged."""
        circuit = {"organisation": "university", "ports": ids(ports), "bandwidth": bandwidth}
        answers = [circuit, *({"vlans": one} for one in vlans), {}]
        return self.workbench.start("create_l2vpn", product="L2VPN", answers=answers, run=run)

    def l2vpn(self, ports: list[BenchSubscription], *vlans: str) -> BenchSubscription:
        """A circuit that carries traffic."""
        return self.start_l2vpn(ports, *vlans).expect("completed").subscription.expect("active", insync=True)

    def live_through(
        self, steps: Mapping[str, Sequence[str]], product: str, answers: Mapping[str, Answers], *, lost: bool
    ) -> BenchSubscription:
        """Run workflows one after the other on a subscription, which the first creates, past each of these steps.

        Each of the steps fails once and is resumed; if `lost`, its worker is lost instead, and the clock rings.
        """
        choice: dict[str, Any] = {"product": product}
        for workflow, keys in steps.items():
            for key in keys:
                (self.workbench.lose_worker_in if lost else self.workbench.fail_step)(key)
            process = self.workbench.start(workflow, answers=answers.get(workflow, []), **choice)
            for key in keys:
                if lost:
                    process.expect("running", at=key)
                    self.workbench.pass_time(seconds=1)
                else:
                    process.expect("failed", at=key).resume()
            choice = {"subscription": process.expect("completed").subscription}
        subscription: BenchSubscription = choice["subscription"]
        return subscription

    def fault(self, **fault: Any) -> None:
        """Switch a fault of the lab on."""
        assert self.lab.put("/lab/faults", json=fault).status_code == 200

    def effects(self, system: str) -> list[str]:
        """What the workflows did in one of the systems outside, as `action object`."""
        done = self.lab.get("/lab/effects").json()[self._given :]
        return [f"{effect['action']} {effect['object']}" for effect in done if effect["system"] == system]

    def _put(self, path: str, **body: Any) -> None:
        answer = self.lab.put(path, json=body)
        assert answer.status_code == 200, answer.text
        self._given = len(self.lab.get("/lab/effects").json())


def ids(subscriptions: list[BenchSubscription]) -> list[str]:
    """Their ids, as a form takes them."""
    return [str(one.subscription_id) for one in subscriptions]
