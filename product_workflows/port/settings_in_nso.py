"""What NSO is told of a port, by those who configure it, compare it and repair it."""

from __future__ import annotations

from typing import Any

from product_workflows.node_enrollment.esdb import get_detailed_node
from product_workflows.port.models import PortBlockProvisioning


def device_of(port: PortBlockProvisioning) -> str:
    """The name of the device that the port is on: that of its node in ESDB."""
    return get_detailed_node(port.node.esdb_node_id)["name"]


def settings_of(port: PortBlockProvisioning, speed: int) -> dict[str, Any]:
    """The settings of the port's service."""
    monitoring = port.monitoring
    return {
        "port": port.port_name,
        "speed": speed,
        "mode": port.port_mode.value,
        "mtu": port.mtu,
        "interface": port.interface.model_dump(
            mode="json", exclude={"subscription_instance_id", "owner_subscription_id", "label"}
        ),
        "monitoring": None
        if monitoring is None
        else {"interval_seconds": monitoring.interval_seconds, "alarms_to": monitoring.alarms_to},
    }
