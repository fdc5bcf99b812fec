"""Reconcile: the subscription is right; make NSO agree with it."""

from __future__ import annotations

from orchestrator import State, StepList, begin, reconcile_workflow, step
from product_workflows.l2vpn.models import L2vpn
from product_workflows.l2vpn.nso import configure_circuit, endpoints_of


@step("Connect the ports in NSO again", time_limit=30)
def connect_again(subscription: L2vpn, idempotency_key: str) -> State:
    """Nothing happens when NSO has the circuit as it is."""
    circuit = subscription.circuit
    made = configure_circuit(circuit.circuit_name, circuit.bandwidth, endpoints_of(circuit), idempotency_key)
    return {"nso_circuit": made["name"]}


@reconcile_workflow("Reconcile L2VPN")
def reconcile_l2vpn() -> StepList:
    """The steps of the workflow."""
    return begin >> connect_again
