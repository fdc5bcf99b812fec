"""Provision: configure the system service of the node, which brings it into production. Ends ACTIVE."""

from __future__ import annotations

from orchestrator import (
    State,
    StepList,
    SubscriptionLifecycle,
    begin,
    change_lifecycle,
    modify_workflow,
    step,
)
from product_workflows.node_enrollment.loading import load_initial_state, look_up_node
from product_workflows.node_enrollment.models import NodeEnrollmentProvisioning
from product_workflows.node_enrollment.nso import configure_service


@step("Configure system service in NSO", time_limit=30)
def configure_system_service(subscription: NodeEnrollmentProvisioning, node_name: str, idempotency_key: str) -> State:
    """Configure what every node in production has."""
    settings = {"service_id": str(subscription.ne.nso_service_id), "routing_domain": subscription.ne.routing_domain}
    device = configure_service(node_name, "system", settings, idempotency_key)
    return {"nso_services": sorted(device["services"])}


@step("Activate Subscription")
def update_subscription_and_description(subscription: NodeEnrollmentProvisioning, node_name: str) -> State:
    """Bring the subscription into production."""
    subscription = change_lifecycle(subscription, SubscriptionLifecycle.ACTIVE)
    subscription.description = f"Node {node_name} Production"

    return {"subscription": subscription}


@modify_workflow("Provision Node Enrollment")
def provision_node_enrollment() -> StepList:
    """The steps of the workflow."""
    return (
        begin >> load_initial_state >> look_up_node >> configure_system_service >> update_subscription_and_description
    )
