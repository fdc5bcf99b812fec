"""Modify: move the node to another routing domain, after somebody has agreed to the change."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from orchestrator import (
    FormGenerator,
    State,
    StepList,
    SubmitFormPage,
    UUIDstr,
    begin,
    inputstep,
    modify_workflow,
    step,
)
from product_workflows.node_enrollment.loading import load_initial_state, look_up_node
from product_workflows.node_enrollment.models import NodeEnrollment
from product_workflows.node_enrollment.nso import configure_device


def initial_input_form_generator(subscription_id: UUIDstr) -> FormGenerator:
    """Ask for the new routing domain."""
    subscription = NodeEnrollment.from_subscription(subscription_id)

    class ModifyNodeEnrollmentForm(SubmitFormPage):
        model_config = ConfigDict(title="Modify Node Enrollment")

        routing_domain: str = Field(subscription.ne.routing_domain, pattern="^[a-z0-9-]{3,40}$")

    wanted = yield ModifyNodeEnrollmentForm
    return {"routing_domain": wanted.routing_domain}


@step("Plan the change")
def plan_change(subscription: NodeEnrollment, routing_domain: str) -> State:
    """Say what will change, for the person who has to agree."""
    return {"change": {"routing_domain": {"from": subscription.ne.routing_domain, "to": routing_domain}}}


@inputstep("Agree to the change", assignee="NOC")
def agree_to_change(node_name: str, change: State) -> FormGenerator:
    """Ask for the ticket of the maintenance window."""
    domains = change["routing_domain"]

    class AgreeForm(SubmitFormPage):
        model_config = ConfigDict(title=f"Move {node_name} from {domains['from']} to {domains['to']}")

        agreed: Literal[True]
        ticket: str = Field(pattern="^[A-Z]{2,8}-[0-9]+$", examples=["CHG-1234"])

    answer = yield AgreeForm
    return {"agreed": answer.agreed, "ticket": answer.ticket}


@step("Change routing domain in NSO", time_limit=30)
def change_in_nso(node_name: str, routing_domain: str, ticket: str, idempotency_key: str) -> State:
    """Change the device of the node."""
    device = configure_device(node_name, {"routing_domain": routing_domain, "ticket": ticket}, idempotency_key)
    return {"nso_routing_domain": device["routing_domain"]}


@step("Update subscription")
def update_subscription(subscription: NodeEnrollment, nso_routing_domain: str) -> State:
    """Keep what NSO was told."""
    subscription.ne.routing_domain = nso_routing_domain
    return {"subscription": subscription}


@modify_workflow("Modify Node Enrollment", initial_input_form=initial_input_form_generator)
def modify_node_enrollment() -> StepList:
    """The steps of the workflow."""
    return (
        begin
        >> load_initial_state
        >> look_up_node
        >> plan_change
        >> agree_to_change
        >> change_in_nso
        >> update_subscription
    )
