"""A circuit between two ports of a node: while it lives, what it stands on cannot be ended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from product_workflows.demo.node_story import Story

ORGANISATION: Final = {"organisation": "demo-university"}
# Those of 10 Gbit/s that a node has free, as NSO calls them.
PORTS: Final = ("port-xe-1-2", "port-xe-1-3")


@dataclass
class CircuitStory:
    """Products that use each other."""

    node: Story

    def live(self, port_product: str, circuit_product: str) -> None:
        """Create two ports and a circuit, validate it, end all of them."""
        made = [effect for port in PORTS for effect in ("reserve", f"configure {port}")]
        undone = [effect for port in PORTS for effect in (f"delete {port}", "release")]
        with self.node.effects(*made, "create circuit", "delete circuit", *undone):
            ports = [self._port(port_product) for _ in PORTS]
            self.node.look_at_workflows({"terminate": []})
            circuit = self._create("create_l2vpn", {"product": circuit_product, "ports": ports, "vlans": "100-109"})
            for workflow, subscription in (
                ("validate_l2vpn", circuit),
                ("terminate_l2vpn", circuit),
                *(("terminate_port", port) for port in ports),
            ):
                self.node.run(workflow, {"subscription_id": subscription})
            self.node.look_at_workflows({"terminate": ["terminate_node_enrollment"]})

    def _port(self, product: str) -> str:
        chosen = {"product": product, "node_subscription_id": self.node.subscription_id, "monitored": False}
        return self._create("create_port", chosen)

    def _create(self, workflow: str, chosen: dict[str, object]) -> str:
        ended = self.node.run(workflow, {**ORGANISATION, **chosen})
        return str(ended["current_state"]["subscription_id"])
