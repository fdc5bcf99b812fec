"""Create: reserve a port of a node in ESDB and configure it in NSO. Ends ACTIVE."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import ConfigDict, Field

from orchestrator import (
    FormGenerator,
    FormPage,
    OneOf,
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
from orchestrator.services.subscriptions import lock_subscriptions
from product_workflows.node_enrollment.esdb import get_detailed_node
from product_workflows.node_enrollment.models import NodeEnrollment
from product_workflows.node_enrollment.nso import configure_service
from product_workflows.port.choices import active_nodes, free_ports, monitoring_page, speed_of
from product_workflows.port.esdb import get_port, reserve_port
from product_workflows.port.models import (
    CopperBlock,
    FibreBlock,
    PortInactive,
    PortMode,
    PortMonitoringBlock,
    PortProvisioning,
    describe,
)
from product_workflows.port.settings_in_nso import settings_of


def initial_input_form_generator(product: UUIDstr, product_name: str) -> FormGenerator:
    """Ask for the node, then for one of its free ports, then how it is watched if it is; sum up."""
    nodes = active_nodes()

    class NodePage(FormPage):
        model_config = ConfigDict(title=f"{product_name}: choose a node")

        organisation: str = Field(min_length=1, max_length=100)
        node_subscription_id: Annotated[str, nodes]

    where = yield NodePage
    node = NodeEnrollment.from_subscription(where.node_subscription_id)
    ports: OneOf = free_ports(node.ne.esdb_node_id, speed_of(product))

    class PortPage(FormPage):
        model_config = ConfigDict(title=f"{product_name}: choose a port")

        esdb_port_id: Annotated[str, ports]
        port_mode: PortMode = PortMode.TAGGED
        mtu: int = Field(9000, ge=1500, le=9216)
        monitored: bool = True

    chosen = yield PortPage
    monitoring: dict[str, Any] | None = None
    if chosen.monitored:
        monitoring = (yield monitoring_page()).model_dump()

    yield summary_page(
        f"{product_name}: check what you entered",
        {
            "Organisation": where.organisation,
            "Node": nodes.options[where.node_subscription_id],
            "Port": ports.options[chosen.esdb_port_id],
            "Mode": chosen.port_mode.value,
            "MTU": chosen.mtu,
            "Alarms to": monitoring and monitoring["alarms_to"],
        },
    )
    return {
        **where.model_dump(),
        **chosen.model_dump(exclude={"monitored"}),
        "esdb_port_id": int(chosen.esdb_port_id),
        "monitoring": monitoring,
    }


@step("Construct port model")
def construct_port_model(
    product: UUIDstr,
    organisation: str,
    node_subscription_id: UUIDstr,
    esdb_port_id: int,
    port_mode: PortMode,
    mtu: int,
    monitoring: dict[str, Any] | None,
) -> State:
    """Make the subscription, which refers to the block of the node."""
    found = get_port(esdb_port_id)
    node_name = get_detailed_node(found["node_id"])["name"]
    lock_subscriptions([node_subscription_id])
    node = NodeEnrollment.from_subscription(node_subscription_id)
    if not node.insync:
        raise ValueError(f"{node.description} is not in sync: another process works on it; try again when it is done")

    subscription = PortInactive.from_product_id(product, organisation)
    port = subscription.port
    port.esdb_port_id, port.port_name = found["id"], found["name"]
    port.port_mode, port.mtu = port_mode, mtu
    port.label = f"{node_name} {found['name']}"
    port.node = node.ne
    kind = CopperBlock if found["medium"] == "copper" else FibreBlock
    port.interface = kind.new(subscription.subscription_id)
    if monitoring is not None:
        port.monitoring = PortMonitoringBlock.new(subscription.subscription_id, **monitoring)
    subscription.description = describe(subscription, node_name, SubscriptionLifecycle.INITIAL)
    return {
        "subscription": subscription,
        "subscription_id": subscription.subscription_id,
        "node_name": node_name,
    }


@step("Reserve port in ESDB", time_limit=30)
def reserve_in_esdb(subscription_id: UUIDstr, esdb_port_id: int, idempotency_key: str) -> State:
    """Reserve the port for the subscription."""
    port = reserve_port(esdb_port_id, subscription_id, idempotency_key)
    return {"reserved_port": port["name"]}


@step("Prepare the configuration")
def prepare_configuration(subscription: PortInactive, node_name: str) -> State:
    """From here on all is known."""
    prepared = change_lifecycle(subscription, SubscriptionLifecycle.PROVISIONING)
    prepared.description = describe(prepared, node_name, prepared.status)
    return {"subscription": prepared}


@step("Configure port in NSO", time_limit=30)
def configure_in_nso(subscription: PortProvisioning, node_name: str, idempotency_key: str) -> State:
    """Make the service of the port on the device of its node."""
    service = f"{subscription.port.service_name}"
    configure_service(node_name, service, settings_of(subscription.port, subscription.speed), idempotency_key)
    return {"nso_service": service}


@step("Activate subscription")
def activate(subscription: PortProvisioning, node_name: str) -> State:
    """The port can be used."""
    active = change_lifecycle(subscription, SubscriptionLifecycle.ACTIVE)
    active.description = describe(active, node_name, active.status)
    return {"subscription": active}


@create_workflow("Create Port", initial_input_form=initial_input_form_generator)
def create_port() -> StepList:
    """The steps of the workflow."""
    return (
        begin
        >> construct_port_model
        >> store_process_subscription()
        >> reserve_in_esdb
        >> prepare_configuration
        >> configure_in_nso
        >> activate
    )
