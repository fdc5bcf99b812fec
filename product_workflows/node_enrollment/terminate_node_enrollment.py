"""Terminate: take the node out of NSO and give it back to ESDB, in whatever state the subscription is."""

from __future__ import annotations

from orchestrator import FormGenerator, State, StepList, begin, step, terminate_workflow
from product_workflows.node_enrollment.esdb import get_detailed_node, release_node
from product_workflows.node_enrollment.nso import delete_device, get_device


@step("Load relevant subscription information")
def load_subscription_info(state: State) -> FormGenerator:
    """Put the name of the node into the state."""
    subscription = state["subscription"]
    node = get_detailed_node(subscription["ne"]["esdb_node_id"])
    return {"subscription": subscription, "node_name": node.get("name")}  # type: ignore[return-value]


@step("Remove node from NSO", time_limit=30)
def remove_from_nso(subscription: State, node_name: str, idempotency_key: str) -> State:
    """Remove the device; a subscription that never came far has none, and what is another one's is left alone."""
    device = get_device(node_name)
    if device is not None and device["service_id"] != subscription["ne"]["nso_service_id"]:
        return {"removed_from_nso": False}
    return {"removed_from_nso": delete_device(node_name, idempotency_key)}


@step("Release node in ESDB", time_limit=30)
def release_in_esdb(subscription: State, idempotency_key: str) -> State:
    """Let others reserve the node, unless one of them has."""
    node_id = subscription["ne"]["esdb_node_id"]
    if get_detailed_node(node_id)["reserved_for"] not in (None, subscription["subscription_id"]):
        return {"released_node": None}
    return {"released_node": release_node(node_id, idempotency_key)["name"]}


@terminate_workflow("Terminate Node Enrollment subscription")
def terminate_node_enrollment() -> StepList:
    """The steps of the workflow."""
    return begin >> load_subscription_info >> remove_from_nso >> release_in_esdb
