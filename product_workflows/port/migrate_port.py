"""Migrate: the same subscription on a port of another speed of the same node, as another product.

The new port is reserved and configured before the old one is given back. Services must not use it meanwhile: see
`WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS` of this package.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict

from orchestrator import (
    FormGenerator,
    FormPage,
    State,
    StepList,
    UUIDstr,
    begin,
    modify_workflow,
    step,
    summary_page,
)
from product_workflows.node_enrollment.nso import configure_service, delete_service
from product_workflows.port.choices import free_ports, other_speeds, speed_of
from product_workflows.port.esdb import get_port, release_port, reserve_port
from product_workflows.port.models import CopperBlock, FibreBlock, Port, describe
from product_workflows.port.settings_in_nso import device_of, settings_of


def initial_input_form_generator(subscription_id: UUIDstr) -> FormGenerator:
    """Ask for the product that it becomes, then for a free port of that speed."""
    subscription = Port.from_subscription(subscription_id)
    products = other_speeds(str(subscription.product.product_id))

    class ProductPage(FormPage):
        model_config = ConfigDict(title=f"Migrate {subscription.description}")

        new_product: Annotated[str, products]

    wanted = yield ProductPage
    ports = free_ports(subscription.port.node.esdb_node_id, speed_of(wanted.new_product))

    class PortPage(FormPage):
        model_config = ConfigDict(title=f"Port for {products.options[wanted.new_product]}")

        new_esdb_port_id: Annotated[str, ports]

    chosen = yield PortPage
    yield summary_page(
        "Check what will change",
        {
            "Product": (subscription.product.description, products.options[wanted.new_product]),
            "Port": (subscription.port.port_name, ports.options[chosen.new_esdb_port_id]),
        },
        headers=("now", "afterwards"),
    )
    return {"new_product": wanted.new_product, "new_esdb_port_id": int(chosen.new_esdb_port_id)}


@step("Reserve the new port in ESDB", time_limit=30)
def reserve_new_port(
    subscription: Port, subscription_id: UUIDstr, new_esdb_port_id: int, idempotency_key: str
) -> State:
    """Reserve the port, and note what the old one was."""
    port = reserve_port(new_esdb_port_id, subscription_id, idempotency_key)
    return {
        "reserved_port": port["name"],
        "old_esdb_port_id": subscription.port.esdb_port_id,
        "old_service": subscription.port.service_name,
        "node_name": device_of(subscription.port),
    }


@step("Move the subscription to the new product")
def change_product(
    subscription: Port, subscription_id: UUIDstr, new_product: UUIDstr, new_esdb_port_id: int, node_name: str
) -> State:
    """The block stays the same one, with another place and speed."""
    found = get_port(new_esdb_port_id)
    migrated = Port.from_other_product(subscription, new_product)
    port = migrated.port
    port.esdb_port_id, port.port_name = found["id"], found["name"]
    port.label = f"{node_name} {found['name']}"
    kind = CopperBlock if found["medium"] == "copper" else FibreBlock
    if not isinstance(port.interface, kind):
        port.interface = kind.new(subscription_id)
    migrated.description = describe(migrated, node_name, migrated.status)
    return {"subscription": migrated}


@step("Configure the new port in NSO", time_limit=30)
def configure_new_port(subscription: Port, node_name: str, idempotency_key: str) -> State:
    """Make the service of the new port."""
    service = f"{subscription.port.service_name}"
    configure_service(node_name, service, settings_of(subscription.port, subscription.speed), idempotency_key)
    return {"nso_service": service}


@step("Remove the old port from NSO", time_limit=30)
def remove_old_port(node_name: str, old_service: str, idempotency_key: str) -> State:
    """Take the service of the old port away."""
    return {"removed_from_nso": delete_service(node_name, old_service, idempotency_key)}


@step("Release the old port in ESDB", time_limit=30)
def release_old_port(old_esdb_port_id: int, idempotency_key: str) -> State:
    """Let others reserve it."""
    return {"released_port": release_port(old_esdb_port_id, idempotency_key)["name"]}


@modify_workflow("Migrate Port to another speed", initial_input_form=initial_input_form_generator)
def migrate_port() -> StepList:
    """The steps of the workflow."""
    return begin >> reserve_new_port >> change_product >> configure_new_port >> remove_old_port >> release_old_port
