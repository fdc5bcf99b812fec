"""The models that the document uses and does not print."""

from uuid import UUID

from orchestrator import ProductBlockModel, SubscriptionLifecycle, SubscriptionModel


class NodeEnrollmentBlockInactive(ProductBlockModel, product_block_name="Node Enrollment Block"):
    esdb_node_id: int | None = None
    esdb_node_uuid: str | None = None
    nso_service_id: UUID | None = None
    routing_domain: str | None = None


class NodeEnrollmentBlockProvisioning(NodeEnrollmentBlockInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    esdb_node_id: int
    esdb_node_uuid: str
    nso_service_id: UUID
    routing_domain: str


class NodeEnrollmentBlock(NodeEnrollmentBlockProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    pass


class NodeEnrollmentInactive(SubscriptionModel, is_base=True):
    ne: NodeEnrollmentBlockInactive


class NodeEnrollmentProvisioning(NodeEnrollmentInactive, lifecycle=[SubscriptionLifecycle.PROVISIONING]):
    ne: NodeEnrollmentBlockProvisioning


class NodeEnrollment(NodeEnrollmentProvisioning, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    ne: NodeEnrollmentBlock
