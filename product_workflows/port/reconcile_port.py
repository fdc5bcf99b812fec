"""Reconcile: the subscription is right; make ESDB and NSO agree with it."""

from __future__ import annotations

from orchestrator import State, StepList, UUIDstr, begin, reconcile_workflow, step
from product_workflows.node_enrollment.nso import configure_service
from product_workflows.port.esdb import reserve_port
from product_workflows.port.models import Port
from product_workflows.port.settings_in_nso import device_of, settings_of


@step("Reserve port in ESDB again", time_limit=30)
def reserve_again(subscription: Port, subscription_id: UUIDstr, idempotency_key: str) -> State:
    """Nothing happens when it is reserved; it fails when it is reserved for another one."""
    port = reserve_port(subscription.port.esdb_port_id, subscription_id, idempotency_key)
    return {"reserved_port": port["name"]}


@step("Configure port in NSO again", time_limit=30)
def configure_again(subscription: Port, idempotency_key: str) -> State:
    """Nothing happens when NSO has these settings."""
    service = f"{subscription.port.service_name}"
    settings = settings_of(subscription.port, subscription.speed)
    configure_service(device_of(subscription.port), service, settings, idempotency_key)
    return {"nso_service": service}


@reconcile_workflow("Reconcile Port")
def reconcile_port() -> StepList:
    """The steps of the workflow."""
    return begin >> reserve_again >> configure_again
