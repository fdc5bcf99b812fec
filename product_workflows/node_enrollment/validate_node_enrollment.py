"""Validate: do ESDB and NSO know what the subscription says? A check that fails raises AssertionError."""

from __future__ import annotations

from orchestrator import State, StepList, begin, step, validate_workflow
from product_workflows.node_enrollment.esdb import get_detailed_node
from product_workflows.node_enrollment.loading import load_initial_state, look_up_node
from product_workflows.node_enrollment.models import NodeEnrollment
from product_workflows.node_enrollment.nso import get_device


@step("Check ESDB", time_limit=30)
def check_esdb(subscription: NodeEnrollment) -> State:
    """The node is the one that was enrolled, and is reserved for this subscription."""
    node = get_detailed_node(subscription.ne.esdb_node_id)

    if node["uuid"] != subscription.ne.esdb_node_uuid:
        raise AssertionError(f"ESDB has the uuid {node['uuid']}, not {subscription.ne.esdb_node_uuid}")
    if node["reserved_for"] != str(subscription.subscription_id):
        raise AssertionError(f"Node is reserved for {node['reserved_for']} in ESDB")
    return {"check_esdb": "OK"}


@step("Check NSO", time_limit=30)
def check_nso(subscription: NodeEnrollment, node_name: str) -> State:  # noqa: ARG001 - it must load
    """The device is there."""
    device = get_device(device_name=node_name)

    if device is None:
        raise AssertionError("Device not found in NSO")
    return {"check_nso": "OK"}


@step("Compare settings in NSO", time_limit=30)
def compare_settings_in_nso(subscription: NodeEnrollment, node_name: str) -> State:
    """The device has the settings of the subscription."""
    device = get_device(device_name=node_name)

    if device is None:
        raise AssertionError("Device not found in NSO")
    wanted = {"service_id": str(subscription.ne.nso_service_id), "routing_domain": subscription.ne.routing_domain}
    found = {"service_id": device["service_id"], "routing_domain": device["routing_domain"]}
    if found != wanted:
        raise AssertionError(f"Device in NSO has {found}, the subscription says {wanted}")
    return {"compare_settings_in_nso": "OK"}


@validate_workflow("Validate Node Enrollment before production")
def validate_node_enrollment() -> StepList:
    """The steps of the workflow."""
    return begin >> load_initial_state >> look_up_node >> check_esdb >> check_nso >> compare_settings_in_nso
