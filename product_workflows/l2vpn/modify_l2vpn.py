"""Modify: another bandwidth, other VLANs, ports added and removed.

What is new is reserved before NSO is told, and what is old is given up afterwards: until then the circuit has both, so
that no other circuit takes a VLAN which the network still carries.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ConfigDict, Field, ValidationInfo, field_validator

from orchestrator import FormGenerator, FormPage, State, StepList, UUIDstr, begin, modify_workflow, step, summary_page
from product_workflows.l2vpn.models import AccessPointBlock, L2vpn, describe
from product_workflows.l2vpn.nso import configure_circuit, endpoint_of
from product_workflows.l2vpn.pages import (
    AccessPoints,
    access_point_pages,
    check_untagged,
    require_bandwidth,
    usable_ports,
)
from product_workflows.l2vpn.ports import hold_ports, require_free, vlans_for
from product_workflows.l2vpn.vlans import merged, show_vlans

MOST = 8


def initial_input_form_generator(subscription_id: UUIDstr) -> FormGenerator:
    """Show ports, bandwidth and VLANs, to be changed; sum up what will change."""
    subscription = L2vpn.from_subscription(subscription_id)
    present = _points_by_port(subscription)
    known = {identifier: show_vlans(point.vlans) for identifier, point in present.items()}
    choice = usable_ports()

    def few_enough(chosen: list[str]) -> list[str]:
        together = set(present) | set(chosen)
        if len(together) > MOST:
            raise ValueError(
                f"with the access points that are removed, which stay until the others work, there would be "
                f"{len(together)}; at most {MOST} are possible"
            )
        return check_untagged(chosen, subscription.subscription_id)

    class CircuitPage(FormPage):
        model_config = ConfigDict(title=f"Modify {subscription.description}")

        ports: Annotated[list[str], choice, AfterValidator(few_enough)] = list(present)
        bandwidth: int = Field(subscription.circuit.bandwidth, ge=1, description="in Mbit/s")

        @field_validator("bandwidth")
        @classmethod
        def _ports_have_it(cls, bandwidth: int, info: ValidationInfo) -> int:
            return require_bandwidth(bandwidth, info.data["ports"]) if "ports" in info.data else bandwidth

    wanted = yield CircuitPage
    points = yield from access_point_pages(wanted.ports, known, subscription.subscription_id)

    after = {point["label"]: point["vlans"] or "untagged" for point in points}
    before = {str(point.port.label): show_vlans(point.vlans) for point in present.values()}
    yield summary_page(
        "Check what will change",
        {
            "Bandwidth": (subscription.circuit.bandwidth, wanted.bandwidth),
            **{label: (before.get(label), after.get(label)) for label in {**before, **after}},
        },
        headers=("now", "afterwards"),
    )
    return {"bandwidth": wanted.bandwidth, "access_points": points}


@step("Reserve VLANs")
def reserve_vlans(subscription: L2vpn, access_points: AccessPoints) -> State:
    """Add access points and VLANs, if no other circuit has them: the check that counts."""
    present = _points_by_port(subscription)
    ports = hold_ports([point["port_subscription_id"] for point in access_points], subscription.subscription_id)
    for wanted in access_points:
        identifier = wanted["port_subscription_id"]
        port = ports[identifier].port
        vlans = vlans_for(port, wanted["vlans"])
        require_free(port, vlans, subscription.subscription_id)
        if identifier in present:
            present[identifier].vlans = merged([*present[identifier].vlans, *vlans])
        else:
            point = AccessPointBlock.new(subscription.subscription_id, vlans=vlans, port=port)
            subscription.circuit.access_points.append(point)
    return {"subscription": subscription}


@step("Change the circuit in NSO", time_limit=30)
def change_in_nso(subscription: L2vpn, access_points: AccessPoints, bandwidth: int, idempotency_key: str) -> State:
    """Tell NSO what it shall be."""
    present = _points_by_port(subscription)
    endpoints = []
    for wanted in access_points:
        port = present[wanted["port_subscription_id"]].port
        endpoints.append(endpoint_of(port, vlans_for(port, wanted["vlans"])))
    made = configure_circuit(subscription.circuit.circuit_name, bandwidth, endpoints, idempotency_key)
    return {"nso_circuit": made["name"]}


@step("Give up what is not needed any more")
def give_up(subscription: L2vpn, access_points: AccessPoints, bandwidth: int) -> State:
    """Keep what NSO was told, in the order that was entered."""
    present = _points_by_port(subscription)
    kept = []
    for wanted in access_points:
        point = present[wanted["port_subscription_id"]]
        point.vlans = vlans_for(point.port, wanted["vlans"])
        kept.append(point)
    subscription.circuit.access_points = kept
    subscription.circuit.bandwidth = bandwidth
    subscription.description = describe(subscription, subscription.status)
    return {"subscription": subscription}


def _points_by_port(subscription: L2vpn) -> dict[str, AccessPointBlock]:
    return {str(point.port.owner_subscription_id): point for point in subscription.circuit.access_points}


@modify_workflow("Modify L2VPN", initial_input_form=initial_input_form_generator)
def modify_l2vpn() -> StepList:
    """The steps of the workflow."""
    return begin >> reserve_vlans >> change_in_nso >> give_up
