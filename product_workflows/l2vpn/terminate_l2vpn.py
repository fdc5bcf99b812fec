"""Terminate: take the circuit out of NSO, in whatever state the subscription is. Then its VLANs are free."""

from __future__ import annotations

from orchestrator import State, StepList, SubscriptionLifecycle, begin, step, terminate_workflow
from product_workflows.l2vpn.models import AnyL2vpn, describe
from product_workflows.l2vpn.nso import delete_circuit


@step("Remove circuit from NSO", time_limit=30)
def remove_from_nso(subscription: AnyL2vpn, idempotency_key: str) -> State:
    """A subscription that never came far has no circuit."""
    return {"removed_from_nso": delete_circuit(f"{subscription.circuit.circuit_name}", idempotency_key)}


@step("Update description")
def update_description(subscription: AnyL2vpn) -> State:
    """Say what became of it."""
    subscription.description = describe(subscription, SubscriptionLifecycle.TERMINATED)
    return {"subscription": subscription}


@terminate_workflow("Terminate L2VPN")
def terminate_l2vpn() -> StepList:
    """The steps of the workflow."""
    return begin >> remove_from_nso >> update_description
