"""The products "Port 1G", "Port 10G" and "Port 100G" and their workflows."""

from __future__ import annotations

from uuid import UUID

from alembic import op

from orchestrator.migrations.catalog import create, delete

revision = "port_0002"
down_revision = "node_enrollment_0001"
branch_labels = None
depends_on = None


def _product(speed: int, shown: str, product_id: str) -> dict[str, object]:
    return {
        "product_id": UUID(product_id),
        "product_type": "Port",
        "tag": "PORT",
        "description": f"Port of {shown}bit/s",
        "fixed_inputs": {"speed": str(speed)},
        "product_blocks": ["Port", "Copper Interface", "Fibre Interface", "Port Monitoring"],
    }


CATALOG = {
    "resource_types": {
        "esdb_port_id": "Number of the port in ESDB",
        "port_name": "Name of the port on its node",
        "port_mode": "tagged or untagged",
        "mtu": "Largest frame in bytes",
        "auto_negotiation": "Whether both ends agree on the speed",
        "wavelength": "Wavelength in nm",
        "forward_error_correction": "Whether errors are corrected",
        "interval_seconds": "Seconds between two looks at the port",
        "alarms_to": "Who is told when the port is down",
    },
    "product_blocks": {
        "Copper Interface": {
            "product_block_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b11"),
            "description": "Interface with a copper cable",
            "tag": "PORT",
            "resource_types": ["auto_negotiation"],
        },
        "Fibre Interface": {
            "product_block_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b12"),
            "description": "Interface with fibre",
            "tag": "PORT",
            "resource_types": ["wavelength", "forward_error_correction"],
        },
        "Port Monitoring": {
            "product_block_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b13"),
            "description": "How a port is watched",
            "tag": "PORT",
            "resource_types": ["interval_seconds", "alarms_to"],
        },
        "Port": {
            "product_block_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b14"),
            "description": "A port of a node",
            "tag": "PORT",
            "resource_types": ["esdb_port_id", "port_name", "port_mode", "mtu"],
            "depends_on": ["Node Enrollment Block", "Copper Interface", "Fibre Interface", "Port Monitoring"],
        },
    },
    "products": {
        "Port 1G": _product(1_000, "1 G", "019a3f60-5c11-7c5e-9d55-0d3c3a2f1b15"),
        "Port 10G": _product(10_000, "10 G", "019a3f60-5c11-7c5e-9d55-0d3c3a2f1b16"),
        "Port 100G": _product(100_000, "100 G", "019a3f60-5c11-7c5e-9d55-0d3c3a2f1b17"),
    },
    "workflows": {
        "create_port": {"target": "CREATE", "description": "Create Port", "tag": "PORT"},
        "modify_port": {"target": "MODIFY", "description": "Modify Port", "tag": "PORT"},
        "migrate_port": {"target": "MODIFY", "description": "Migrate Port to another speed", "tag": "PORT"},
        "validate_port": {"target": "VALIDATE", "description": "Validate Port", "tag": "PORT"},
        "reconcile_port": {"target": "RECONCILE", "description": "Reconcile Port", "tag": "PORT"},
        "terminate_port": {"target": "TERMINATE", "description": "Terminate Port", "tag": "PORT"},
    },
}


def upgrade() -> None:
    create(op.get_bind(), CATALOG)


def downgrade() -> None:
    delete(op.get_bind(), CATALOG)
