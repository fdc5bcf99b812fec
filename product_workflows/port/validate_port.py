"""Validate: do ESDB and NSO know what the subscription says? A check that fails raises AssertionError."""

from __future__ import annotations

from orchestrator import State, StepList, begin, step, validate_workflow
from product_workflows.node_enrollment.nso import get_device
from product_workflows.port.esdb import get_port
from product_workflows.port.models import Port
from product_workflows.port.settings_in_nso import device_of, settings_of


@step("Check port in ESDB", time_limit=30)
def check_esdb(subscription: Port) -> State:
    """The port is reserved for this subscription, and as fast as it is sold."""
    found = get_port(subscription.port.esdb_port_id)
    if found["reserved_for"] != str(subscription.subscription_id):
        raise AssertionError(f"Port {found['name']} is reserved for {found['reserved_for']} in ESDB")
    if found["speed"] != subscription.speed:
        raise AssertionError(f"Port {found['name']} has {found['speed']} Mbit/s in ESDB, not {subscription.speed}")
    return {"check_esdb": "OK"}


@step("Compare port in NSO", time_limit=30)
def compare_in_nso(subscription: Port) -> State:
    """The service has the settings of the subscription."""
    node_name = device_of(subscription.port)
    device = get_device(node_name)
    if device is None:
        raise AssertionError(f"Device {node_name} not found in NSO")
    found = device["services"].get(f"{subscription.port.service_name}")
    wanted = settings_of(subscription.port, subscription.speed)
    if found != wanted:
        raise AssertionError(f"{subscription.port.service_name} in NSO is {found}, the subscription says {wanted}")
    return {"compare_in_nso": "OK"}


@validate_workflow("Validate Port")
def validate_port() -> StepList:
    """The steps of the workflow."""
    return begin >> check_esdb >> compare_in_nso
