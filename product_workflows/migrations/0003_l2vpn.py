"""The product "L2VPN" and its workflows."""

from __future__ import annotations

from uuid import UUID

from alembic import op

from orchestrator.migrations.catalog import create, delete

revision = "l2vpn_0003"
down_revision = "port_0002"
branch_labels = None
depends_on = None

CATALOG = {
    "resource_types": {
        "circuit_name": "Name of the circuit in NSO",
        "bandwidth": "Bandwidth in Mbit/s",
        "vlans": "VLANs that an access point carries",
    },
    "product_blocks": {
        "L2VPN Access Point": {
            "product_block_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b21"),
            "description": "Where a circuit leaves the network",
            "tag": "L2VPN",
            "resource_types": ["vlans"],
            "depends_on": ["Port"],
        },
        "L2VPN Circuit": {
            "product_block_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b22"),
            "description": "A circuit between two to eight access points",
            "tag": "L2VPN",
            "resource_types": ["circuit_name", "bandwidth"],
            "depends_on": ["L2VPN Access Point"],
        },
    },
    "products": {
        "L2VPN": {
            "product_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b23"),
            "product_type": "L2VPN",
            "tag": "L2VPN",
            "description": "Virtual circuit between ports",
            "product_blocks": ["L2VPN Circuit", "L2VPN Access Point"],
        },
    },
    "workflows": {
        "create_l2vpn": {"target": "CREATE", "description": "Create L2VPN", "tag": "L2VPN"},
        "modify_l2vpn": {"target": "MODIFY", "description": "Modify L2VPN", "tag": "L2VPN"},
        "validate_l2vpn": {"target": "VALIDATE", "description": "Validate L2VPN", "tag": "L2VPN"},
        "reconcile_l2vpn": {"target": "RECONCILE", "description": "Reconcile L2VPN", "tag": "L2VPN"},
        "terminate_l2vpn": {"target": "TERMINATE", "description": "Terminate L2VPN", "tag": "L2VPN"},
    },
}


def upgrade() -> None:
    create(op.get_bind(), CATALOG)


def downgrade() -> None:
    delete(op.get_bind(), CATALOG)
