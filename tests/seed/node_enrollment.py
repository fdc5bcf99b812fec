"""Steps and workflows of the document. Where the formatter is off, they stand as they are printed there."""

# ruff: noqa: F541
from uuid import uuid4

from orchestrator import (
    FormGenerator,
    FormPage,
    State,
    StepList,
    SubscriptionLifecycle,
    Target,
    UUIDstr,
    begin,
    change_lifecycle,
    create_workflow,
    modify_workflow,
    step,
    store_process_subscription,
    terminate_workflow,
    validate_workflow,
)
from tests.seed.models import NodeEnrollment, NodeEnrollmentInactive, NodeEnrollmentProvisioning
from tests.seed.outside import do_x, do_y, do_z, get_detailed_node, get_device, map_role


def initial_input_form_generator(product_name: str) -> FormGenerator:
    class SelectNodeForm(FormPage):
        organisation: str
        select_node: str

    selected = yield SelectNodeForm
    node = get_detailed_node(101)

    class NodeForm(FormPage):
        role_id: str = "1"

    details = yield NodeForm
    return {
        **selected.model_dump(),
        **details.model_dump(),
        "esdb_node_id": 101,
        "url": node["url"],
        "uuid": node["uuid"],
    }


# fmt: off


@step("Construct Node Enrollment model")
def construct_node_enrollment_model(
    product: UUIDstr, organisation: UUIDstr, esdb_node_id: int, select_node: str, url: str, uuid: str, role_id: str
) -> State:
    subscription = NodeEnrollmentInactive.from_product_id(
        product_id=product, customer_id=organisation, status=SubscriptionLifecycle.INITIAL
    )

    subscription.ne.esdb_node_id = esdb_node_id
    subscription.description = f"Node {select_node} Initial Subscription"
    subscription.ne.esdb_node_uuid = uuid
    subscription.ne.nso_service_id = uuid4()
    subscription.ne.routing_domain = "esnet-293"

    role = map_role(role_id, select_node)
    site_id = select_node.split("-")[0] # location short name

    return {
        "subscription": subscription,
        "subscription_id": subscription.subscription_id,
        "subscription_description": subscription.description,
        "role": role,
        "site_id": site_id
    }


@step("Do things rather than thing")
def do_things(subscription: NodeEnrollmentProvisioning):

    do_x()

    do_y()

    do_z()

    return {"subscription": subscription}


@step("Update subscription name with node info")
def update_subscription_name_and_description(subscription: NodeEnrollmentProvisioning, select_node: str) -> State:
    subscription = change_lifecycle(subscription, SubscriptionLifecycle.PROVISIONING)
    subscription.description = f"Node {select_node} Provisioned (without system service)"

    return {"subscription": subscription}


# a step stands in place of the dots


@create_workflow(
    "Create Node Enrollment",
    initial_input_form=initial_input_form_generator,
    status=SubscriptionLifecycle.PROVISIONING
)
def create_node_enrollment() -> StepList:
    return (
        begin
        >> construct_node_enrollment_model
        >> store_process_subscription(Target.CREATE)
        >> do_things
        >> update_subscription_name_and_description
    )



@step("Load initial state")
def load_initial_state(subscription_id: UUIDstr) -> State:
    subscription = NodeEnrollment.from_subscription(subscription_id)

    return {
        "subscription": subscription,
    }


@step("Check NSO")
def check_nso(subscription: NodeEnrollment, node_name: str) -> State:
    device = get_device(device_name=node_name)

    if device is None:
        raise AssertionError(f"Device not found in NSO")
    return {"check_nso": "OK"}


@step("Activate Subscription")
def update_subscription_and_description(subscription: NodeEnrollmentProvisioning, node_name: str) -> State:
    subscription = change_lifecycle(subscription, SubscriptionLifecycle.ACTIVE)
    subscription.description = f"Node {node_name} Production"

    return {"subscription": subscription}


@step("Load relevant subscription information")
def load_subscription_info(state: State) -> FormGenerator:
    subscription = state["subscription"]
    node = get_detailed_node(subscription["ne"]["esdb_node_id"])
    return {"subscription": subscription, "node_name": node.get("name")}


# fmt: on
# The document describes these and does not print them.


@step("Look up node")
def look_up_node(subscription: NodeEnrollment) -> State:
    return {"node_name": get_detailed_node(subscription.ne.esdb_node_id).get("name")}


@validate_workflow("Validate Node Enrollment before production")
def validate_node_enrollment() -> StepList:
    return begin >> load_initial_state >> look_up_node >> check_nso


@modify_workflow("Provision Node Enrollment")
def provision_node_enrollment() -> StepList:
    return begin >> load_initial_state >> look_up_node >> update_subscription_and_description


@terminate_workflow("Terminate Node Enrollment subscription")
def terminate_node_enrollment() -> StepList:
    return begin >> load_subscription_info
