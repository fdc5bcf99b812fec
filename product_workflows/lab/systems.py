"""What ESDB and NSO know, and the log of what was done to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

_NAMES = ("ams-cr6", "bost-cr6", "chic-cr5", "denv-cr6", "fnal-cr6", "lond-cr5", "newy-cr6", "sunn-cr6")
_NAMESPACE = UUID("6a1f8d5e-7a52-4b0c-9b0e-2f6d1c9d3e10")


class RefusedError(Exception):
    """One of the systems does not do what it was asked for."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Systems:
    """Nodes and devices in memory. Not locked: the server lets one call in at a time."""

    def __init__(self) -> None:
        self.nodes: dict[int, dict[str, Any]] = {
            number: {
                "id": number,
                "name": name,
                "uuid": str(uuid5(_NAMESPACE, name)),
                "url": f"https://esdb.example.net/nodes/{number}",
                "role_id": "2" if name.endswith("cr5") else "1",
                "reserved_for": None,
            }
            for number, name in enumerate(_NAMES, start=101)
        }
        self.devices: dict[str, dict[str, Any]] = {}
        self.effects: list[dict[str, Any]] = []

    def node(self, node_id: int) -> dict[str, Any]:
        """One node of ESDB."""
        if node_id not in self.nodes:
            raise RefusedError(404, f"ESDB has no node {node_id}")
        return self.nodes[node_id]

    def reserve(self, node_id: int, settings: dict[str, Any]) -> dict[str, Any]:
        """Reserve a node for the subscription that the settings name; a second time changes nothing."""
        node = self.node(node_id)
        if not (subscription_id := settings.get("subscription_id")):
            raise RefusedError(422, "a reservation needs a subscription_id")
        if node["reserved_for"] not in (None, subscription_id):
            raise RefusedError(409, f"node {node['name']} is reserved for {node['reserved_for']}")
        if node["reserved_for"] is None:
            node["reserved_for"] = subscription_id
            self._did("esdb", "reserve", node["name"])
        return node

    def release(self, node_id: int) -> dict[str, Any]:
        """Take a reservation back; where there is none nothing changes."""
        node = self.node(node_id)
        if node["reserved_for"] is not None:
            node["reserved_for"] = None
            self._did("esdb", "release", node["name"])
        return node

    def device(self, name: str) -> dict[str, Any]:
        """One device of NSO."""
        if name not in self.devices:
            raise RefusedError(404, f"NSO has no device {name}")
        return self.devices[name]

    def put_device(self, name: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Make a device, or change its settings."""
        known = self.devices.get(name, {"name": name, "services": {}})
        changed = {**known, **settings, "name": name, "services": known["services"]}
        if self.devices.get(name) != changed:
            self._did("nso", "change device" if name in self.devices else "create device", name)
            self.devices[name] = changed
        return changed

    def put_service(self, name: str, service: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Configure a service on a device."""
        device = self.device(name)
        if device["services"].get(service) != settings:
            device["services"][service] = settings
            self._did("nso", f"configure {service}", name)
        return device

    def delete_device(self, name: str) -> dict[str, Any]:
        """Remove a device with its services."""
        device = self.device(name)
        del self.devices[name]
        self._did("nso", "delete device", name)
        return device

    def _did(self, system: str, action: str, target: str) -> None:
        self.effects.append({"number": len(self.effects) + 1, "system": system, "action": action, "object": target})
