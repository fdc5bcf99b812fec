"""The functions that the document calls and does not print. NSO and ESDB are dicts here."""

from typing import Any

DEVICES: dict[str, dict[str, Any]] = {}
NODES: dict[int, dict[str, Any]] = {101: {"name": "ams-cr6", "uuid": "d7f1", "url": "https://esdb/101"}}
CALLS: list[str] = []


def map_role(role_id: str, select_node: str) -> str:
    return f"role {role_id} of {select_node}"


def get_device(device_name: str) -> dict[str, Any] | None:
    return DEVICES.get(device_name)


def get_detailed_node(node_id: int) -> dict[str, Any]:
    return NODES[node_id]


def do_x() -> None:
    CALLS.append("x")


def do_y() -> None:
    CALLS.append("y")


def do_z() -> None:
    CALLS.append("z")
