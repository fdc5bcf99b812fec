"""The life of a node as the seed document writes it, straight on the models."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.saving import contains_models, save_models
from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle
from orchestrator.errors import (
    InvalidInputError,
    LifecycleError,
    ProductNotFoundError,
    SubscriptionNotFoundError,
    ValuesDoNotFitError,
)
from orchestrator.language.vocabulary import SubscriptionLifecycle


class NodeBlockInactive(ProductBlockModel, product_block_name="Node"):
    esdb_node_id: int | None = None
    esdb_node_uuid: str | None = None
    nso_service_id: UUID | None = None
    routing_domain: str | None = None


class NodeBlockProvisioning(NodeBlockInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    esdb_node_id: int
    esdb_node_uuid: str
    nso_service_id: UUID
    routing_domain: str


class NodeBlock(NodeBlockProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    pass


class NodeEnrollmentInactive(SubscriptionModel, is_base=True):
    ne: NodeBlockInactive


class NodeEnrollmentProvisioning(NodeEnrollmentInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    ne: NodeBlockProvisioning


class NodeEnrollment(NodeEnrollmentProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    ne: NodeBlock


MODELS = {"Node Enrollment": NodeEnrollment}


def construct(product: str) -> dict:
    uuid = str(uuid4())
    subscription = NodeEnrollmentInactive.from_product_id(
        product_id=product, customer_id="esnet", status=SubscriptionLifecycle.INITIAL
    )
    subscription.ne.esdb_node_id = 12
    subscription.description = "Node x Initial Subscription"
    subscription.ne.esdb_node_uuid = uuid
    subscription.ne.nso_service_id = uuid4()
    subscription.ne.routing_domain = "esnet-293"
    return {
        "subscription": subscription,
        "subscription_id": subscription.subscription_id,
        "subscription_description": subscription.description,
        "all": [subscription, {"again": (subscription, 1)}],
    }


def test_a_node_goes_from_initial_to_terminated(unit, products, register) -> None:
    register(MODELS)
    with unit():
        delta = construct(str(products["Node Enrollment"]))
        assert contains_models(delta)
        returned = save_models(delta)
        assert not contains_models(returned)
    subscription_id = returned["subscription"]["subscription_id"]
    assert returned["subscription"]["ne"]["esdb_node_id"] == 12
    assert returned["subscription"]["status"] == "initial"
    assert returned["all"][1]["again"][0] == returned["subscription"]

    with unit():
        # The last create step takes a provisioning model on an initial row.
        subscription = NodeEnrollmentProvisioning.from_subscription(subscription_id)
        assert type(subscription) is NodeEnrollmentProvisioning
        assert subscription.status is SubscriptionLifecycle.INITIAL
        subscription = change_lifecycle(subscription, SubscriptionLifecycle.PROVISIONING)
        assert type(subscription) is NodeEnrollmentProvisioning
        assert type(subscription.ne) is NodeBlockProvisioning
        subscription.description = "Node x Provisioned (without system service)"
        save_models({"subscription": subscription})
    with unit():
        subscription = NodeEnrollmentProvisioning.from_subscription(UUID(subscription_id))
        assert change_lifecycle(subscription, "provisioning") is subscription
        subscription = change_lifecycle(subscription, SubscriptionLifecycle.ACTIVE)
        assert type(subscription) is NodeEnrollment
        assert subscription.start_date is not None
        subscription.save()
    with unit():
        active = SubscriptionModel.from_subscription(subscription_id)
        assert type(active) is NodeEnrollment
        assert active.ne.esdb_node_id == 12
        assert isinstance(active.ne.nso_service_id, UUID)
        terminated = change_lifecycle(active, SubscriptionLifecycle.TERMINATED)
        assert type(terminated) is NodeEnrollmentInactive
        assert terminated.end_date is not None
        terminated.save()
    with unit():
        assert SubscriptionModel.from_subscription(subscription_id).status is SubscriptionLifecycle.TERMINATED


def test_a_looser_variant_does_not_load_a_stricter_status(unit, products, register) -> None:
    register(MODELS)
    with unit():
        subscription = construct(products["Node Enrollment"])["subscription"]
        change_lifecycle(subscription, "active").save()
        with pytest.raises(LifecycleError, match="too loose"):
            NodeEnrollmentProvisioning.from_subscription(subscription.subscription_id)


def test_a_stricter_variant_refuses_values_that_do_not_fit(unit, products, register) -> None:
    register(MODELS)
    with unit():
        subscription = NodeEnrollmentInactive.from_product_id(products["Node Enrollment"], "esnet")
        subscription.save()
        with pytest.raises(ValuesDoNotFitError, match=r"ne\.esdb_node_id: Input should be a valid integer"):
            NodeEnrollmentProvisioning.from_subscription(subscription.subscription_id)
        with pytest.raises(ValuesDoNotFitError, match=r"ne\.esdb_node_id"):
            change_lifecycle(subscription, SubscriptionLifecycle.PROVISIONING)


def test_a_status_set_by_hand_is_refused_by_save(unit, products) -> None:
    with unit():
        subscription = NodeEnrollmentInactive.from_product_id(products["Node Enrollment"], "esnet")
        subscription.status = SubscriptionLifecycle.ACTIVE
        with pytest.raises(LifecycleError, match="NodeEnrollment"):
            subscription.save()


def test_what_does_not_exist_is_named(unit, products) -> None:
    with unit():
        with pytest.raises(ProductNotFoundError):
            NodeEnrollmentInactive.from_product_id(uuid4(), "esnet")
        with pytest.raises(InvalidInputError, match="'nonsense' is not the id of a product"):
            NodeEnrollmentInactive.from_product_id("nonsense", "esnet")
        with pytest.raises(SubscriptionNotFoundError):
            NodeEnrollmentInactive.from_subscription(uuid4())
        unsaved = NodeEnrollmentInactive.from_product_id(products["Node Enrollment"], "esnet")
        with pytest.raises(SubscriptionNotFoundError):
            NodeEnrollmentInactive.from_subscription(unsaved.subscription_id)
