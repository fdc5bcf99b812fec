"""Create: reserve a node in ESDB and configure it in NSO. Ends PROVISIONING."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import uuid4

from pydantic import AfterValidator, ConfigDict, Field

from orchestrator import (
    FormGenerator,
    FormPage,
    State,
    StepList,
    SubmitFormPage,
    SubscriptionLifecycle,
    Target,
    UUIDstr,
    begin,
    change_lifecycle,
    create_workflow,
    step,
    store_process_subscription,
)
from product_workflows.node_enrollment.esdb import Node, get_free_nodes, reserve_node
from product_workflows.node_enrollment.models import NodeEnrollmentInactive, NodeEnrollmentProvisioning
from product_workflows.node_enrollment.nso import configure_device
from product_workflows.outside import TROUBLE

ROLES: Final = {"1": "core", "2": "edge"}


def map_role(role_id: str, select_node: str) -> str:
    """The role of a node in NSO, from its number in ESDB."""
    if role_id not in ROLES:
        raise ValueError(f"node {select_node} has the role {role_id}; known are {', '.join(ROLES)}")
    return ROLES[role_id]


def initial_input_form_generator(product_name: str) -> FormGenerator:
    """Ask whose node it is and which one; then show what ESDB knows of it, to be corrected.

    While ESDB does not answer, the page says so of every node: a form has no other way to tell.
    """
    nodes: dict[str, Node] = {}
    trouble = ""
    try:
        nodes = {node["name"]: node for node in get_free_nodes()}
    except TROUBLE as error:
        trouble = f"ESDB cannot say which nodes are free: {error}"

    def free(name: str) -> str:
        if name not in nodes:
            raise ValueError(trouble or f"{name} is not a free node; free are {', '.join(nodes) or 'none'}")
        return name

    class SelectNodeForm(FormPage):
        model_config = ConfigDict(title=f"{product_name}: choose a node")

        organisation: str = Field(min_length=1, max_length=100)
        select_node: Annotated[str, Field(json_schema_extra={"enum": list(nodes)}), AfterValidator(free)]

    selected = yield SelectNodeForm
    node = nodes[selected.select_node]

    class NodeDetailsForm(SubmitFormPage):
        model_config = ConfigDict(title=f"{product_name}: check {node['name']}")

        url: str = Field(node["url"], pattern="^https?://")
        role_id: str = Field(node["role_id"], json_schema_extra={"enum": list(ROLES)}, pattern=f"^[{''.join(ROLES)}]$")

    details = yield NodeDetailsForm

    return {
        **selected.model_dump(),
        **details.model_dump(),
        "esdb_node_id": node["id"],
        "uuid": node["uuid"],
    }


@step("Construct Node Enrollment model")
def construct_node_enrollment_model(
    product: UUIDstr,
    organisation: UUIDstr,
    esdb_node_id: int,
    select_node: str,
    url: str,  # noqa: ARG001 - a later step sends it to NSO
    uuid: str,
    role_id: str,
) -> State:
    """Make the subscription."""
    subscription = NodeEnrollmentInactive.from_product_id(
        product_id=product, customer_id=organisation, status=SubscriptionLifecycle.INITIAL
    )

    subscription.ne.esdb_node_id = esdb_node_id
    subscription.description = f"Node {select_node} Initial Subscription"
    subscription.ne.esdb_node_uuid = uuid
    subscription.ne.nso_service_id = uuid4()
    subscription.ne.routing_domain = "esnet-293"

    role = map_role(role_id, select_node)
    site_id = select_node.split("-")[0]  # location short name

    return {
        "subscription": subscription,
        "subscription_id": subscription.subscription_id,
        "subscription_description": subscription.description,
        "role": role,
        "site_id": site_id,
    }


@step("Reserve node in ESDB", time_limit=30)
def reserve_in_esdb(subscription_id: UUIDstr, esdb_node_id: int, idempotency_key: str) -> State:
    """Reserve the node for the subscription."""
    node = reserve_node(esdb_node_id, subscription_id, idempotency_key)
    return {"reserved_node": node["name"]}


@step("Configure node in NSO", time_limit=30)
def configure_in_nso(
    subscription: NodeEnrollmentProvisioning, select_node: str, role: str, site_id: str, url: str, idempotency_key: str
) -> State:
    """Make the device of the node, without its system service."""
    settings = {
        "service_id": str(subscription.ne.nso_service_id),
        "role": role,
        "site_id": site_id,
        "url": url,
        "routing_domain": subscription.ne.routing_domain,
    }
    device = configure_device(select_node, settings, idempotency_key)
    return {"nso_device": device["name"]}


@step("Update subscription name with node info")
def update_subscription_name_and_description(subscription: NodeEnrollmentProvisioning, select_node: str) -> State:
    """Say in the description what has been reached."""
    subscription = change_lifecycle(subscription, SubscriptionLifecycle.PROVISIONING)
    subscription.description = f"Node {select_node} Provisioned (without system service)"

    return {"subscription": subscription}


@create_workflow(
    "Create Node Enrollment Service",
    initial_input_form=initial_input_form_generator,
    status=SubscriptionLifecycle.PROVISIONING,
)
def create_node_enrollment() -> StepList:
    """The steps of the workflow."""
    return (
        begin
        >> construct_node_enrollment_model
        >> store_process_subscription(Target.CREATE)
        >> reserve_in_esdb
        >> configure_in_nso
        >> update_subscription_name_and_description
    )
