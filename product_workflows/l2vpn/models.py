"""The product and its blocks: a circuit with a list of access points, each of which refers to the block of a port."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Len
from pydantic import Field, computed_field

from orchestrator import ProductBlockModel, SubscriptionLifecycle, SubscriptionModel
from product_workflows.l2vpn.vlans import VlanRange, show_vlans
from product_workflows.port.models import PortBlock, PortBlockInactive, PortBlockProvisioning


class AccessPointBlockInactive(ProductBlockModel, product_block_name="L2VPN Access Point"):
    """Where the circuit leaves the network: a port that is a subscription of its own, and VLANs on it."""

    vlans: list[VlanRange] = Field(default_factory=list)
    port: PortBlockInactive | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def title(self) -> str:
        """For people."""
        place = "no port" if self.port is None else self.port.label or self.port.port_name
        return f"{place}: {show_vlans(self.vlans)}"


class AccessPointBlockProvisioning(AccessPointBlockInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    """An access point whose VLANs are reserved."""

    vlans: list[VlanRange] = Field(min_length=1)
    port: PortBlockProvisioning


class AccessPointBlock(AccessPointBlockProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """An access point that carries traffic."""

    port: PortBlock


class CircuitBlockInactive(ProductBlockModel, product_block_name="L2VPN Circuit"):
    """The circuit while the subscription is being made."""

    circuit_name: str | None = None
    bandwidth: int | None = Field(None, ge=1, description="in Mbit/s")
    access_points: Annotated[list[AccessPointBlockInactive], Len(0, 8)]

    @computed_field  # type: ignore[prop-decorator]
    @property
    def is_point_to_point(self) -> bool:
        """Whether it has two ends; NSO switches by addresses when there are more."""
        return len(self.access_points) == 2


class CircuitBlockProvisioning(CircuitBlockInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    """The circuit when its access points are reserved."""

    circuit_name: str
    bandwidth: int
    access_points: Annotated[list[AccessPointBlockProvisioning], Len(2, 8)]  # type: ignore[assignment]


class CircuitBlock(CircuitBlockProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """The circuit when it carries traffic."""

    access_points: Annotated[list[AccessPointBlock], Len(2, 8)]  # type: ignore[assignment]


class L2vpnInactive(SubscriptionModel, is_base=True):
    """A subscription that is being made, or has ended."""

    circuit: CircuitBlockInactive


class L2vpnProvisioning(L2vpnInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    """A subscription whose VLANs are reserved."""

    circuit: CircuitBlockProvisioning


class L2vpn(L2vpnProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """A subscription that carries traffic."""

    circuit: CircuitBlock


# A subscription in whatever status, as the variant for it.
AnyL2vpn = L2vpnInactive | L2vpnProvisioning | L2vpn


def describe(subscription: L2vpnInactive, status: SubscriptionLifecycle) -> str:
    """What lists say of a circuit in this status."""
    circuit = subscription.circuit
    ends = ", ".join(point.title for point in circuit.access_points)
    match status:
        case SubscriptionLifecycle.INITIAL:
            return f"L2VPN {circuit.bandwidth} Mbit/s (planned)"
        case SubscriptionLifecycle.PROVISIONING:
            return f"L2VPN {circuit.bandwidth} Mbit/s between {ends} (being configured)"
        case SubscriptionLifecycle.TERMINATED:
            return f"L2VPN {circuit.bandwidth} Mbit/s (ended)"
        case _:
            return f"L2VPN {circuit.bandwidth} Mbit/s between {ends}"
