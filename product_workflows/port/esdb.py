"""ESDB, the inventory: the ports of a node, and for which subscription one is reserved."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from product_workflows.outside import WrongAnswerError, call


class EsdbPort(TypedDict):
    """A port as ESDB has it. `speed` is in Mbit/s, `medium` copper or fibre, `reserved_for` a subscription's id."""

    id: int
    node_id: int
    name: str
    speed: int
    medium: str
    reserved_for: str | None


_PORT: Final = TypeAdapter(EsdbPort)
_PORTS: Final = TypeAdapter(list[EsdbPort])


def get_free_ports(esdb_node_id: int, speed: int) -> list[EsdbPort]:
    """The ports of a node that have this speed and are reserved for nobody."""
    ports = call("GET", f"/esdb/nodes/{esdb_node_id}/ports", _PORTS)
    return [port for port in ports if port["speed"] == speed and port["reserved_for"] is None]


def get_port(esdb_port_id: int) -> EsdbPort:
    """One port.

    Raises:
        OutsideRefusedError: there is no such port.
    """
    return call("GET", f"/esdb/ports/{esdb_port_id}", _PORT)


def reserve_port(esdb_port_id: int, subscription_id: str, idempotency_key: str) -> EsdbPort:
    """Reserve a port for a subscription.

    Raises:
        OutsideRefusedError: it is reserved for another one.
        WrongAnswerError: ESDB agrees, but the reservation is not ours.
    """
    path = f"/esdb/ports/{esdb_port_id}/reservation"
    port = call("PUT", path, _PORT, body={"subscription_id": subscription_id}, idempotency_key=idempotency_key)
    if port["reserved_for"] != subscription_id:
        raise WrongAnswerError(f"ESDB answers that port {esdb_port_id} is reserved for {port['reserved_for']}")
    return port


def release_port(esdb_port_id: int, idempotency_key: str) -> EsdbPort:
    """Take the reservation back; a port that is free stays free."""
    return call("DELETE", f"/esdb/ports/{esdb_port_id}/reservation", _PORT, idempotency_key=idempotency_key)
