"""ESDB, the inventory: which nodes there are, and for which subscription one is reserved."""

from __future__ import annotations

from typing import Final

from pydantic import TypeAdapter
from typing_extensions import TypedDict

from product_workflows.outside import WrongAnswerError, call


class Node(TypedDict):
    """A node as ESDB describes it. `reserved_for` is a subscription's id."""

    id: int
    name: str
    uuid: str
    url: str
    role_id: str
    reserved_for: str | None


_NODE: Final = TypeAdapter(Node)
_NODES: Final = TypeAdapter(list[Node])


def get_free_nodes() -> list[Node]:
    """The nodes that are reserved for nobody."""
    return [node for node in call("GET", "/esdb/nodes", _NODES) if node["reserved_for"] is None]


def get_detailed_node(esdb_node_id: int) -> Node:
    """One node.

    Raises:
        OutsideRefusedError: there is no such node.
    """
    return call("GET", f"/esdb/nodes/{esdb_node_id}", _NODE)


def reserve_node(esdb_node_id: int, subscription_id: str, idempotency_key: str) -> Node:
    """Reserve a node for a subscription.

    Raises:
        OutsideRefusedError: it is reserved for another one.
        WrongAnswerError: ESDB agrees, but the reservation is not ours.
    """
    path = f"/esdb/nodes/{esdb_node_id}/reservation"
    node = call("PUT", path, _NODE, body={"subscription_id": subscription_id}, idempotency_key=idempotency_key)
    if node["reserved_for"] != subscription_id:
        raise WrongAnswerError(f"ESDB answers that node {esdb_node_id} is reserved for {node['reserved_for']}")
    return node


def release_node(esdb_node_id: int, idempotency_key: str) -> Node:
    """Take the reservation back; a node that is free stays free."""
    return call("DELETE", f"/esdb/nodes/{esdb_node_id}/reservation", _NODE, idempotency_key=idempotency_key)
