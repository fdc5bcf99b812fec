"""The pages that create and modify have in common: which ports, which VLANs on each, and the summary."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from orchestrator import FormPage, SomeOf
from orchestrator.services.subscriptions import find_subscriptions
from product_workflows.l2vpn.ports import load_usable, require_free
from product_workflows.l2vpn.vlans import UNTAGGED, VlanText, read_vlans
from product_workflows.port.models import PortBlock, PortMode

AccessPoints = list[dict[str, str]]
Pages = Generator[type[BaseModel], Any, AccessPoints]


def usable_ports() -> SomeOf:
    """Two to eight of the ports that are active and in sync."""
    ports = {str(found.subscription_id): found.description for found in find_subscriptions("Port")}
    return SomeOf(ports, 2, 8, none="there is no port that is active and in sync")


def require_bandwidth(bandwidth: int, port_subscriptions: list[str]) -> int:
    """The bandwidth, if the slowest port has it.

    Raises:
        ValueError: it has not.
    """
    slowest = min(load_usable(identifier).speed for identifier in port_subscriptions)
    if bandwidth > slowest:
        raise ValueError(f"the slowest of these ports has {slowest} Mbit/s")
    return bandwidth


def access_point_pages(port_subscriptions: list[str], known: Mapping[str, str], own: UUID | None = None) -> Pages:
    """A page for each port that carries VLANs, none for those that do not.

    Args:
        port_subscriptions: the ports, in the order of their pages.
        known: the VLANs that the circuit has, by port.
        own: its subscription, whose VLANs it may use.

    Returns:
        `port_subscription_id`, `label` and `vlans` of each; `vlans` is as people write them.
    """
    points: AccessPoints = []
    for identifier in port_subscriptions:
        port = load_usable(identifier).port
        vlans = ""
        if port.port_mode is PortMode.TAGGED:
            answer = yield _vlan_page(port, known.get(identifier), own)
            vlans = answer.vlans
        points.append({"port_subscription_id": identifier, "label": str(port.label), "vlans": vlans})
    return points


def check_untagged(port_subscriptions: list[str], own: UUID | None = None) -> list[str]:
    """The ports, if those that are untagged carry no other circuit.

    Raises:
        ValueError: one does.
    """
    for identifier in port_subscriptions:
        port = load_usable(identifier).port
        if port.port_mode is PortMode.UNTAGGED:
            require_free(port, UNTAGGED, own)
    return port_subscriptions


def _vlan_page(port: PortBlock, known: str | None, own: UUID | None) -> type[FormPage]:
    def free(text: str) -> str:
        require_free(port, read_vlans(text), own)
        return text

    class VlanPage(FormPage):
        model_config = ConfigDict(title=f"VLANs on {port.label}")

        vlans: Annotated[VlanText, AfterValidator(free)] = Field(
            *([] if known is None else [known]), examples=["100-110,200"]
        )

    return VlanPage
