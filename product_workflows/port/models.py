"""The products "Port 1G", "Port 10G" and "Port 100G" and their blocks, with what must be known in each state."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field, computed_field

from orchestrator import ProductBlockModel, SubscriptionLifecycle, SubscriptionModel
from product_workflows.node_enrollment.models import (
    NodeEnrollmentBlock,
    NodeEnrollmentBlockInactive,
    NodeEnrollmentBlockProvisioning,
)

Speed = Literal[1_000, 10_000, 100_000]


class PortMode(StrEnum):
    """Whether frames carry VLANs: a tagged port carries many services, an untagged one a single service."""

    TAGGED = "tagged"
    UNTAGGED = "untagged"


class CopperBlock(ProductBlockModel, product_block_name="Copper Interface"):
    """The interface of a port with a copper cable."""

    auto_negotiation: bool = True


class FibreBlock(ProductBlockModel, product_block_name="Fibre Interface"):
    """The interface of a port with fibre."""

    wavelength: int = Field(1310, description="in nm")
    forward_error_correction: bool = False


class PortMonitoringBlock(ProductBlockModel, product_block_name="Port Monitoring"):
    """How the port is watched; a port need not be."""

    interval_seconds: int = Field(60, ge=10, le=3600)
    alarms_to: str = ""


class PortBlockInactive(ProductBlockModel, product_block_name="Port"):
    """The port while the subscription is being made: nothing has to be known."""

    esdb_port_id: int | None = None
    port_name: str | None = None
    port_mode: PortMode = PortMode.TAGGED
    mtu: int = Field(9000, ge=1500, le=9216)
    node: NodeEnrollmentBlockInactive | None = None
    interface: CopperBlock | FibreBlock | None = None
    monitoring: PortMonitoringBlock | None = None

    @computed_field  # type: ignore[prop-decorator]
    @property
    def service_name(self) -> str | None:
        """The name of the port's service on the device in NSO."""
        return None if self.port_name is None else f"port-{self.port_name}"


class PortBlockProvisioning(PortBlockInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    """The port when it is reserved."""

    esdb_port_id: int
    port_name: str
    node: NodeEnrollmentBlockProvisioning
    interface: CopperBlock | FibreBlock


class PortBlock(PortBlockProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """The port when it can be used."""

    node: NodeEnrollmentBlock


class PortInactive(SubscriptionModel, is_base=True):
    """A subscription that is being made, or has ended."""

    speed: Speed
    port: PortBlockInactive


class PortProvisioning(PortInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    """A subscription whose port is reserved."""

    port: PortBlockProvisioning


class Port(PortProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """A subscription whose port can be used."""

    port: PortBlock


# A subscription in whatever status, as the variant for it.
AnyPort = PortInactive | PortProvisioning | Port


def describe(subscription: PortInactive, node_name: str, status: SubscriptionLifecycle) -> str:
    """What lists say of a port that is on this node, in this status."""
    place = f"{subscription.product.name} {subscription.port.port_name} on {node_name}"
    match status:
        case SubscriptionLifecycle.INITIAL:
            return f"{place} (planned)"
        case SubscriptionLifecycle.PROVISIONING:
            return f"{place} (being configured)"
        case SubscriptionLifecycle.TERMINATED:
            return f"{place} (given back)"
        case _:
            return f"{place}, {subscription.port.port_mode.value}"
