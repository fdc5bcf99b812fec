"""Validate: is the circuit in NSO as the subscription says, and are its VLANs its own? A failed check raises."""

from __future__ import annotations

from orchestrator import State, StepList, SubscriptionLifecycle, begin, step, validate_workflow
from product_workflows.l2vpn.models import L2vpn
from product_workflows.l2vpn.nso import endpoints_of, get_circuit
from product_workflows.l2vpn.ports import PortUnusableError, require_free
from product_workflows.port.models import Port


@step("Check ports and VLANs")
def check_ports(subscription: L2vpn) -> State:
    """The ports are active, and no other circuit has the VLANs."""
    for point in subscription.circuit.access_points:
        port = Port.from_subscription(point.port.owner_subscription_id)
        if port.status is not SubscriptionLifecycle.ACTIVE:
            raise AssertionError(f"port {point.port.label} is {port.status.value}")
        try:
            require_free(port.port, point.vlans, subscription.subscription_id)
        except PortUnusableError as error:
            raise AssertionError(str(error)) from error
    return {"check_ports": "OK"}


@step("Compare circuit in NSO", time_limit=30)
def compare_in_nso(subscription: L2vpn) -> State:
    """NSO has the ends and the bandwidth of the subscription."""
    circuit = subscription.circuit
    found = get_circuit(circuit.circuit_name)
    if found is None:
        raise AssertionError(f"Circuit {circuit.circuit_name} not found in NSO")
    wanted = {"name": circuit.circuit_name, "bandwidth": circuit.bandwidth, "endpoints": endpoints_of(circuit)}
    if found != wanted:
        raise AssertionError(f"The circuit in NSO is {found}, the subscription says {wanted}")
    return {"compare_in_nso": "OK"}


@validate_workflow("Validate L2VPN")
def validate_l2vpn() -> StepList:
    """The steps of the workflow."""
    return begin >> check_ports >> compare_in_nso
