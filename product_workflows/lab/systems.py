"""What ESDB and NSO know, and the log of what was done to them."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid5

_NAMES = ("ams-cr6", "bost-cr6", "chic-cr5", "denv-cr6", "fnal-cr6", "lond-cr5", "newy-cr6", "sunn-cr6")
_NAMESPACE = UUID("6a1f8d5e-7a52-4b0c-9b0e-2f6d1c9d3e10")
# What each node has, by the last digits of the port's number.
_PORTS = {
    1: ("ge-1-1", 1_000, "copper"),
    2: ("xe-1-2", 10_000, "fibre"),
    3: ("xe-1-3", 10_000, "fibre"),
    4: ("xe-1-4", 10_000, "fibre"),
    5: ("et-2-1", 100_000, "fibre"),
    6: ("et-2-2", 100_000, "fibre"),
}


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
        self.ports: dict[int, dict[str, Any]] = {
            node_id * 100 + place: {
                "id": node_id * 100 + place,
                "node_id": node_id,
                "name": name,
                "speed": speed,
                "medium": medium,
                "reserved_for": None,
            }
            for node_id in self.nodes
            for place, (name, speed, medium) in _PORTS.items()
        }
        self.devices: dict[str, dict[str, Any]] = {}
        self.circuits: dict[str, dict[str, Any]] = {}
        self.effects: list[dict[str, Any]] = []

    def node(self, node_id: int) -> dict[str, Any]:
        """One node of ESDB."""
        if node_id not in self.nodes:
            raise RefusedError(404, f"ESDB has no node {node_id}")
        return self.nodes[node_id]

    def reserve(self, node_id: int, settings: dict[str, Any]) -> dict[str, Any]:
        """Reserve a node for the subscription that the settings name; a second time changes nothing."""
        return self._reserve(self.node(node_id), "node", settings)

    def release(self, node_id: int) -> dict[str, Any]:
        """Take a reservation back; where there is none nothing changes."""
        return self._release(self.node(node_id))

    def ports_of(self, node_id: int) -> list[dict[str, Any]]:
        """The ports of a node."""
        self.node(node_id)
        return [port for port in self.ports.values() if port["node_id"] == node_id]

    def port(self, port_id: int) -> dict[str, Any]:
        """One port of ESDB."""
        if port_id not in self.ports:
            raise RefusedError(404, f"ESDB has no port {port_id}")
        return self.ports[port_id]

    def reserve_port(self, port_id: int, settings: dict[str, Any]) -> dict[str, Any]:
        """Reserve a port, as a node."""
        return self._reserve(self.port(port_id), "port", settings)

    def release_port(self, port_id: int) -> dict[str, Any]:
        """Take the reservation of a port back."""
        return self._release(self.port(port_id))

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

    def delete_service(self, name: str, service: str) -> dict[str, Any]:
        """Take a service from a device."""
        device = self.device(name)
        if service not in device["services"]:
            raise RefusedError(404, f"NSO has no service {service} on {name}")
        del device["services"][service]
        self._did("nso", f"delete {service}", name)
        return device

    def delete_device(self, name: str) -> dict[str, Any]:
        """Remove a device with its services."""
        device = self.device(name)
        del self.devices[name]
        self._did("nso", "delete device", name)
        return device

    def circuit(self, name: str) -> dict[str, Any]:
        """One circuit of NSO."""
        if name not in self.circuits:
            raise RefusedError(404, f"NSO has no circuit {name}")
        return self.circuits[name]

    def put_circuit(self, name: str, settings: dict[str, Any]) -> dict[str, Any]:
        """Make a circuit, or change it. A VLAN on a port carries one circuit."""
        wanted = _taken(settings)
        for other, circuit in self.circuits.items():
            if other != name and (both := wanted & _taken(circuit)):
                device, port, vlan = min(both)
                raise RefusedError(409, f"VLAN {vlan} on {port} of {device} carries circuit {other}")
        changed = {**settings, "name": name}
        if self.circuits.get(name) != changed:
            self._did("nso", "change circuit" if name in self.circuits else "create circuit", name)
            self.circuits[name] = changed
        return changed

    def delete_circuit(self, name: str) -> dict[str, Any]:
        """Remove a circuit."""
        circuit = self.circuit(name)
        del self.circuits[name]
        self._did("nso", "delete circuit", name)
        return circuit

    def _reserve(self, thing: dict[str, Any], kind: str, settings: dict[str, Any]) -> dict[str, Any]:
        if not (subscription_id := settings.get("subscription_id")):
            raise RefusedError(422, "a reservation needs a subscription_id")
        if thing["reserved_for"] not in (None, subscription_id):
            raise RefusedError(409, f"{kind} {thing['name']} is reserved for {thing['reserved_for']}")
        if thing["reserved_for"] is None:
            thing["reserved_for"] = subscription_id
            self._did("esdb", "reserve", self._called(thing))
        return thing

    def _release(self, thing: dict[str, Any]) -> dict[str, Any]:
        if thing["reserved_for"] is not None:
            thing["reserved_for"] = None
            self._did("esdb", "release", self._called(thing))
        return thing

    def _called(self, thing: dict[str, Any]) -> str:
        name: str = thing["name"]
        return f"{self.nodes[thing['node_id']]['name']} {name}" if "node_id" in thing else name

    def _did(self, system: str, action: str, target: str) -> None:
        self.effects.append({"number": len(self.effects) + 1, "system": system, "action": action, "object": target})


def _taken(circuit: dict[str, Any]) -> set[tuple[str, str, int]]:
    """The device, port and VLAN that each end of a circuit takes."""
    try:
        return {
            (end["device"], end["port"], vlan)
            for end in circuit["endpoints"]
            for first, last in end["vlans"]
            for vlan in range(first, last + 1)
        }
    except (KeyError, TypeError, ValueError):
        raise RefusedError(
            422, "a circuit has endpoints, each with a device, a port and vlans [[first, last], ...]"
        ) from None
