"""Modify: another mode or MTU, and whether and how the port is watched."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

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
from product_workflows.node_enrollment.nso import configure_service
from product_workflows.port.choices import monitoring_page
from product_workflows.port.models import Port, PortMode, PortMonitoringBlock, describe
from product_workflows.port.settings_in_nso import device_of, settings_of


def initial_input_form_generator(subscription_id: UUIDstr) -> FormGenerator:
    """Show what is set, to be changed; sum up what will change."""
    subscription = Port.from_subscription(subscription_id)
    port = subscription.port

    class SettingsPage(FormPage):
        model_config = ConfigDict(title=f"Modify {subscription.description}")

        port_mode: PortMode = port.port_mode
        mtu: int = Field(port.mtu, ge=1500, le=9216)
        monitored: bool = port.monitoring is not None

    wanted = yield SettingsPage
    known = port.monitoring
    monitoring: dict[str, Any] | None = None
    if wanted.monitored:
        page = monitoring_page() if known is None else monitoring_page(known.interval_seconds, known.alarms_to)
        monitoring = (yield page).model_dump()

    yield summary_page(
        "Check what will change",
        {
            "Mode": (port.port_mode.value, wanted.port_mode.value),
            "MTU": (port.mtu, wanted.mtu),
            "Alarms to": (known and known.alarms_to, monitoring and monitoring["alarms_to"]),
        },
        headers=("now", "afterwards"),
    )
    return {"port_mode": wanted.port_mode, "mtu": wanted.mtu, "monitoring": monitoring}


@step("Change the settings")
def change_settings(subscription: Port, port_mode: PortMode, mtu: int, monitoring: dict[str, Any] | None) -> State:
    """Keep what was entered. The mode stays while services use the port: they are built on it.

    The process holds the port, and no service can begin to use a port that is held: this check stays true.
    """
    port = subscription.port
    node_name = device_of(port)
    users = sorted({str(use.subscription_id) for use in port.in_use_by if use.status != "terminated"})
    if port_mode is not port.port_mode and users:
        raise ValueError(f"The mode of {port.label} cannot change while services use it: {', '.join(users)}")
    port.port_mode, port.mtu = port_mode, mtu
    if monitoring is None:
        port.monitoring = None
    elif port.monitoring is None:
        port.monitoring = PortMonitoringBlock.new(subscription.subscription_id, **monitoring)
    else:
        port.monitoring.interval_seconds = monitoring["interval_seconds"]
        port.monitoring.alarms_to = monitoring["alarms_to"]
    subscription.description = describe(subscription, node_name, subscription.status)
    return {"subscription": subscription, "node_name": node_name}


@step("Change port in NSO", time_limit=30)
def change_in_nso(subscription: Port, node_name: str, idempotency_key: str) -> State:
    """Tell NSO."""
    service = f"{subscription.port.service_name}"
    configure_service(node_name, service, settings_of(subscription.port, subscription.speed), idempotency_key)
    return {"nso_service": service}


@modify_workflow("Modify Port", initial_input_form=initial_input_form_generator)
def modify_port() -> StepList:
    """The steps of the workflow."""
    return begin >> change_settings >> change_in_nso
