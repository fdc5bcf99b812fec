"""What the forms of ports offer: nodes from the database, free ports from ESDB, and how a port is watched."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field

from orchestrator import FormPage, OneOf
from orchestrator.services.subscriptions import find_products, find_subscriptions
from product_workflows.outside import TROUBLE
from product_workflows.port.esdb import get_free_ports

AlarmsTo = Annotated[str, Field(pattern="^[^@ ]+@[^@ ]+$", examples=["noc@example.net"])]


def active_nodes() -> OneOf:
    """The nodes that are in production and in sync."""
    nodes = {str(found.subscription_id): found.description for found in find_subscriptions("NodeEnrollment")}
    return OneOf(nodes, none="there is no node that is active and in sync")


def speed_of(product_id: str) -> int:
    """The speed of a port product in Mbit/s."""
    return next(
        int(found.fixed_inputs["speed"]) for found in find_products("Port") if str(found.product_id) == product_id
    )


def other_speeds(product_id: str) -> OneOf:
    """The port products that differ from this one."""
    products = {
        str(found.product_id): found.description
        for found in find_products("Port")
        if str(found.product_id) != product_id
    }
    return OneOf(products, none="there is no port of another speed")


def free_ports(esdb_node_id: int, speed: int) -> OneOf:
    """The ports of a node that are free, by their number in ESDB. While ESDB does not answer, there are none."""
    try:
        ports = get_free_ports(esdb_node_id, speed)
    except TROUBLE as error:
        return OneOf({}, none=f"ESDB cannot say which ports are free: {error}")
    options = {str(port["id"]): f"{port['name']} ({port['medium']})" for port in ports}
    return OneOf(options, none=f"the node has no free port of {speed} Mbit/s")


def monitoring_page(seconds: int = 60, address: str | None = None) -> type[FormPage]:
    """How the port is watched, with what is known of it."""

    class MonitoringPage(FormPage):
        model_config = ConfigDict(title="Monitoring of the port")

        interval_seconds: int = Field(seconds, ge=10, le=3600)
        alarms_to: AlarmsTo = Field() if address is None else Field(address)

    return MonitoringPage
