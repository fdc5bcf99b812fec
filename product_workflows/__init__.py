"""Examples: the product "Node Enrollment" and its workflows, known by `ORCHESTRATOR_CATALOG=product_workflows`."""

from __future__ import annotations

from orchestrator import Catalog
from orchestrator.services.subscriptions import WF_USABLE_MAP
from product_workflows.node_enrollment.create_node_enrollment import create_node_enrollment
from product_workflows.node_enrollment.models import NodeEnrollment
from product_workflows.node_enrollment.modify_node_enrollment import modify_node_enrollment
from product_workflows.node_enrollment.provision_node_enrollment import provision_node_enrollment
from product_workflows.node_enrollment.terminate_node_enrollment import terminate_node_enrollment
from product_workflows.node_enrollment.validate_node_enrollment import validate_node_enrollment

WF_USABLE_MAP.update(
    {
        "validate_node_enrollment": ["active", "provisioning"],
        "provision_node_enrollment": ["provisioning"],
        "modify_node_enrollment": ["active", "provisioning"],
    }
)


def register(catalog: Catalog) -> None:
    """Add the products and workflows of this package to a catalog."""
    catalog.add_product("Node Enrollment", NodeEnrollment)
    catalog.add_workflow(create_node_enrollment)
    catalog.add_workflow(provision_node_enrollment)
    catalog.add_workflow(modify_node_enrollment)
    catalog.add_workflow(validate_node_enrollment)
    catalog.add_workflow(terminate_node_enrollment)
