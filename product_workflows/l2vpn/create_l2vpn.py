"""Create: reserve VLANs on two to eight ports and connect them in NSO. Ends ACTIVE."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from orchestrator import (
    FormGenerator,
    FormPage,
    State,
    StepList,
    SubscriptionLifecycle,
    UUIDstr,
    begin,
    change_lifecycle,
    create_workflow,
    step,
    store_process_subscription,
    summary_page,
)
from product_workflows.l2vpn.models import AccessPointBlockInactive, L2vpnInactive, L2vpnProvisioning, describe
from product_workflows.l2vpn.nso import configure_circuit, endpoints_of
from product_workflows.l2vpn.pages import (
    AccessPoints,
    access_point_pages,
    check_untagged,
    require_bandwidth,
    usable_ports,
)
from product_workflows.l2vpn.ports import hold_ports, require_free, vlans_for


def initial_input_form_generator(product_name: str) -> FormGenerator:
    """Ask for the ports, then for the VLANs on each that carries some; sum up."""
    choice = usable_ports()

    class CircuitPage(FormPage):
        model_config = ConfigDict(title=f"{product_name}: choose ports")

        organisation: str = Field(min_length=1, max_length=100)
        ports: Annotated[list[str], choice, AfterValidator(check_untagged)]
        bandwidth: int = Field(1000, ge=1, description="in Mbit/s")

        @field_validator("bandwidth")
        @classmethod
        def _ports_have_it(cls, bandwidth: int, info: ValidationInfo) -> int:
            return require_bandwidth(bandwidth, info.data["ports"]) if "ports" in info.data else bandwidth

    circuit = yield CircuitPage
    points = yield from access_point_pages(circuit.ports, {})

    yield summary_page(
        f"{product_name}: check what you entered",
        {
            "Organisation": circuit.organisation,
            "Bandwidth": circuit.bandwidth,
            **{point["label"]: point["vlans"] or "untagged" for point in points},
        },
    )
    return {"organisation": circuit.organisation, "bandwidth": circuit.bandwidth, "access_points": points}


@step("Construct L2VPN model")
def construct_l2vpn_model(product: UUIDstr, organisation: str, bandwidth: int) -> State:
    """Make the subscription, without access points."""
    subscription = L2vpnInactive.from_product_id(product, organisation)
    subscription.circuit.circuit_name = f"l2vpn-{subscription.subscription_id}"
    subscription.circuit.bandwidth = bandwidth
    subscription.description = describe(subscription, SubscriptionLifecycle.INITIAL)
    return {"subscription": subscription, "subscription_id": subscription.subscription_id}


@step("Reserve VLANs")
def reserve_vlans(subscription: L2vpnInactive, access_points: AccessPoints) -> State:
    """Add the access points, if no other circuit has their VLANs: the check that counts."""
    ports = hold_ports([point["port_subscription_id"] for point in access_points], subscription.subscription_id)
    for wanted in access_points:
        port = ports[wanted["port_subscription_id"]].port
        vlans = vlans_for(port, wanted["vlans"])
        require_free(port, vlans)
        point = AccessPointBlockInactive.new(subscription.subscription_id, vlans=vlans, port=port)
        subscription.circuit.access_points.append(point)
    reserved = change_lifecycle(subscription, SubscriptionLifecycle.PROVISIONING)
    reserved.description = describe(reserved, reserved.status)
    return {"subscription": reserved}


@step("Connect the ports in NSO", time_limit=30)
def connect_in_nso(subscription: L2vpnProvisioning, idempotency_key: str) -> State:
    """Make the circuit."""
    circuit = subscription.circuit
    made = configure_circuit(circuit.circuit_name, circuit.bandwidth, endpoints_of(circuit), idempotency_key)
    return {"nso_circuit": made["name"]}


@step("Activate subscription")
def activate(subscription: L2vpnProvisioning) -> State:
    """The circuit carries traffic."""
    active = change_lifecycle(subscription, SubscriptionLifecycle.ACTIVE)
    active.description = describe(active, active.status)
    return {"subscription": active}


@create_workflow("Create L2VPN", initial_input_form=initial_input_form_generator)
def create_l2vpn() -> StepList:
    """The steps of the workflow."""
    return begin >> construct_l2vpn_model >> store_process_subscription() >> reserve_vlans >> connect_in_nso >> activate
