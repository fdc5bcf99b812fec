"""The product and its block, with what must be known in each state of its life."""

from __future__ import annotations

from uuid import UUID

from orchestrator import ProductBlockModel, SubscriptionLifecycle, SubscriptionModel


class NodeEnrollmentBlockInactive(ProductBlockModel, product_block_name="Node Enrollment Block"):
    """The node while the subscription is being made: nothing has to be known."""

    esdb_node_id: int | None = None
    esdb_node_uuid: str | None = None
    nso_service_id: UUID | None = None
    routing_domain: str | None = None


class NodeEnrollmentBlockProvisioning(NodeEnrollmentBlockInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    """The node when it is reserved and configured."""

    esdb_node_id: int
    esdb_node_uuid: str
    nso_service_id: UUID
    routing_domain: str


class NodeEnrollmentBlock(NodeEnrollmentBlockProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """The node in production."""


class NodeEnrollmentInactive(SubscriptionModel, is_base=True):
    """A subscription that is being made, or has ended."""

    ne: NodeEnrollmentBlockInactive


class NodeEnrollmentProvisioning(NodeEnrollmentInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    """A subscription whose node is configured, without its system service."""

    ne: NodeEnrollmentBlockProvisioning


class NodeEnrollment(NodeEnrollmentProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    """A subscription whose node is in production."""

    ne: NodeEnrollmentBlock
