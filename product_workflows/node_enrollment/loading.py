"""The first steps of every workflow that works on a node that is enrolled."""

from __future__ import annotations

from orchestrator import State, UUIDstr, step
from product_workflows.node_enrollment.esdb import get_detailed_node
from product_workflows.node_enrollment.models import NodeEnrollment


@step("Load initial state")
def load_initial_state(subscription_id: UUIDstr) -> State:
    """Put the subscription into the state."""
    subscription = NodeEnrollment.from_subscription(subscription_id)

    return {
        "subscription": subscription,
    }


@step("Look up node in ESDB")
def look_up_node(subscription: NodeEnrollment) -> State:
    """Put the name of the node into the state."""
    node = get_detailed_node(subscription.ne.esdb_node_id)
    return {"node_name": node["name"]}
