"""Which ports a circuit may use, and which VLANs on them are free.

Forms ask here to tell people early. What counts is `hold_ports` in a step: it locks the subscriptions of the ports, so
that of two circuits that want a VLAN at the same moment one waits until the other is recorded, and then sees it.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from orchestrator import SubscriptionLifecycle
from orchestrator.services.subscriptions import lock_subscriptions
from product_workflows.l2vpn.vlans import STORED, UNTAGGED, VlanRange, common, read_vlans, show_vlans
from product_workflows.port.models import Port, PortBlock, PortMode


class PortUnusableError(ValueError):
    """A port, or a VLAN on it, cannot be used by this circuit."""


def load_usable(subscription_id: str) -> Port:
    """The port, if it is active and in sync.

    Raises:
        PortUnusableError: it is not.
    """
    port = Port.from_subscription(subscription_id)
    if port.status is not SubscriptionLifecycle.ACTIVE:
        raise PortUnusableError(f"port {port.port.label} cannot be used: it is {port.status.value}")
    if not port.insync:
        raise PortUnusableError(f"port {port.port.label} cannot be used: another process works on it")
    return port


def hold_ports(subscription_ids: Iterable[str], own_subscription: UUID) -> dict[str, Port]:
    """The ports by subscription, locked with the circuit's own subscription until the step is recorded.

    Raises:
        PortUnusableError: one of them is not active, or not in sync.
    """
    wanted = list(subscription_ids)
    lock_subscriptions([*wanted, own_subscription])
    return {identifier: load_usable(identifier) for identifier in wanted}


def require_free(port: PortBlock, vlans: list[VlanRange], own_subscription: UUID | str | None = None) -> None:
    """Go on only when no other circuit that has not ended uses one of the VLANs on the port.

    Raises:
        PortUnusableError: one does, or the VLANs do not suit the mode of the port.
    """
    if (vlans == UNTAGGED) is not (port.port_mode is PortMode.UNTAGGED):
        raise PortUnusableError(f"port {port.label} is {port.port_mode.value}: {show_vlans(vlans)} does not suit it")
    for use in port.in_use_by:
        if use.status == SubscriptionLifecycle.TERMINATED or str(use.subscription_id) == str(own_subscription):
            continue
        taken = common(vlans, STORED.validate_python(use.values.get("vlans", [])))
        if taken:
            what = "it is untagged and" if taken == UNTAGGED else f"VLAN {show_vlans(taken)}"
            raise PortUnusableError(f"port {port.label}: {what} is in use by subscription {use.subscription_id}")


def vlans_for(port: PortBlock, text: str) -> list[VlanRange]:
    """The VLANs of a text, which is empty for a port that was untagged when the form was filled in.

    Raises:
        PortUnusableError: the port has another mode now.
        ValueError: the text cannot be read.
    """
    if bool(text) is not (port.port_mode is PortMode.TAGGED):
        raise PortUnusableError(
            f"port {port.label} is {port.port_mode.value} now: {text or 'untagged'} does not suit it"
        )
    return read_vlans(text) if text else UNTAGGED
