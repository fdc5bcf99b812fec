"""Examples: nodes, ports on them and circuits between ports, known by `ORCHESTRATOR_CATALOG=product_workflows`."""

from __future__ import annotations

from typing import Final

from orchestrator import Catalog
from orchestrator.services.subscriptions import WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS, WF_USABLE_MAP
from product_workflows.l2vpn.create_l2vpn import create_l2vpn
from product_workflows.l2vpn.models import L2vpn
from product_workflows.l2vpn.modify_l2vpn import modify_l2vpn
from product_workflows.l2vpn.reconcile_l2vpn import reconcile_l2vpn
from product_workflows.l2vpn.terminate_l2vpn import terminate_l2vpn
from product_workflows.l2vpn.validate_l2vpn import validate_l2vpn
from product_workflows.node_enrollment.create_node_enrollment import create_node_enrollment
from product_workflows.node_enrollment.models import NodeEnrollment
from product_workflows.node_enrollment.modify_node_enrollment import modify_node_enrollment
from product_workflows.node_enrollment.provision_node_enrollment import provision_node_enrollment
from product_workflows.node_enrollment.terminate_node_enrollment import terminate_node_enrollment
from product_workflows.node_enrollment.validate_node_enrollment import validate_node_enrollment
from product_workflows.port.create_port import create_port
from product_workflows.port.migrate_port import migrate_port
from product_workflows.port.models import Port
from product_workflows.port.modify_port import modify_port
from product_workflows.port.reconcile_port import reconcile_port
from product_workflows.port.terminate_port import terminate_port
from product_workflows.port.validate_port import validate_port

WF_USABLE_MAP.update(
    {
        "validate_node_enrollment": ["active", "provisioning"],
        "provision_node_enrollment": ["provisioning"],
        "modify_node_enrollment": ["active", "provisioning"],
    }
)
# A port is moved to another speed only while no circuit runs over it.
WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS.update({"migrate_port": True})

WORKFLOWS: Final = (
    create_node_enrollment,
    provision_node_enrollment,
    modify_node_enrollment,
    validate_node_enrollment,
    terminate_node_enrollment,
    create_port,
    modify_port,
    migrate_port,
    validate_port,
    reconcile_port,
    terminate_port,
    create_l2vpn,
    modify_l2vpn,
    validate_l2vpn,
    reconcile_l2vpn,
    terminate_l2vpn,
)


def register(catalog: Catalog) -> None:
    """Add the products and workflows of this package to a catalog."""
    catalog.add_product("Node Enrollment", NodeEnrollment)
    for speed in ("1G", "10G", "100G"):
        catalog.add_product(f"Port {speed}", Port)
    catalog.add_product("L2VPN", L2vpn)
    for workflow in WORKFLOWS:
        catalog.add_workflow(workflow)
