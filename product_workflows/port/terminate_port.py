"""Terminate: take the port out of NSO and give it back to ESDB, in whatever state the subscription is."""

from __future__ import annotations

from orchestrator import State, StepList, SubscriptionLifecycle, begin, conditional, step, terminate_workflow
from product_workflows.node_enrollment.esdb import get_detailed_node
from product_workflows.node_enrollment.nso import delete_service
from product_workflows.port.esdb import get_port, release_port
from product_workflows.port.models import AnyPort, describe


@step("Load what is known of the port")
def load_port(subscription: AnyPort) -> State:
    """The names of node and service, and whether the port is this subscription's: its creation may have failed."""
    port = subscription.port
    if port.node is None or port.node.esdb_node_id is None or port.esdb_port_id is None:
        return {"node_name": None, "is_reserved": False}
    return {
        "node_name": get_detailed_node(port.node.esdb_node_id)["name"],
        "service": port.service_name,
        "esdb_port_id": port.esdb_port_id,
        "is_reserved": get_port(port.esdb_port_id)["reserved_for"] == str(subscription.subscription_id),
    }


def is_reserved(state: State) -> bool:
    """What another subscription has is left alone."""
    return bool(state["is_reserved"])


@step("Remove port from NSO", time_limit=30)
def remove_from_nso(node_name: str, service: str, idempotency_key: str) -> State:
    """Take the service away, if it ever came to one."""
    return {"removed_from_nso": delete_service(node_name, service, idempotency_key)}


@step("Release port in ESDB", time_limit=30)
def release_in_esdb(esdb_port_id: int, idempotency_key: str) -> State:
    """Let others reserve the port."""
    return {"released_port": release_port(esdb_port_id, idempotency_key)["name"]}


@step("Update description")
def update_description(subscription: AnyPort, node_name: str | None) -> State:
    """Say what became of it."""
    subscription.description = describe(subscription, node_name or "no node", SubscriptionLifecycle.TERMINATED)
    return {"subscription": subscription}


@terminate_workflow("Terminate Port")
def terminate_port() -> StepList:
    """The steps of the workflow."""
    return begin >> load_port >> conditional(is_reserved)(remove_from_nso >> release_in_esdb) >> update_description
