"""The product "Node Enrollment" and its workflows."""

from __future__ import annotations

from uuid import UUID

from alembic import op

from orchestrator.migrations.catalog import create, create_workflow, delete, delete_workflow

revision = "node_enrollment_0001"
down_revision = None
branch_labels = ("data",)
depends_on = "schema_0001"

CATALOG = {
    "resource_types": {
        "esdb_node_id": "Number of the node in ESDB",
        "esdb_node_uuid": "UUID of the node in ESDB",
        "nso_service_id": "Id of the node's service in NSO",
        "routing_domain": "Routing domain that the node is in",
    },
    "product_blocks": {
        "Node Enrollment Block": {
            "product_block_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b01"),
            "description": "A node in ESDB and NSO",
            "tag": "NE",
            "resource_types": ["esdb_node_id", "esdb_node_uuid", "nso_service_id", "routing_domain"],
        },
    },
    "products": {
        "Node Enrollment": {
            "product_id": UUID("019a3f60-5c11-7c5e-9d55-0d3c3a2f1b02"),
            "product_type": "NodeEnrollment",
            "tag": "NodeEnrollment",
            "description": "Node Enrollment Service",
            "product_blocks": ["Node Enrollment Block"],
        },
    },
}

params_create = {
    "name": "create_node_enrollment",
    "target": "CREATE",
    "description": "Create Node Enrollment Service",
    "tag": "NodeEnrollment",
    "search_phrase": "Node Enrollment%",
}
params_provision = {
    "name": "provision_node_enrollment",
    "target": "MODIFY",
    "description": "Provision Node Enrollment",
    "tag": "NodeEnrollment",
    "search_phrase": "Node Enrollment%",
}
params_modify = {
    "name": "modify_node_enrollment",
    "target": "MODIFY",
    "description": "Modify Node Enrollment",
    "tag": "NodeEnrollment",
    "search_phrase": "Node Enrollment%",
}
params_validate = {
    "name": "validate_node_enrollment",
    "target": "SYSTEM",
    "description": "Validate Node Enrollment before production",
    "tag": "NodeEnrollment",
    "search_phrase": "Node Enrollment%",
}
params_terminate = {
    "name": "terminate_node_enrollment",
    "target": "TERMINATE",
    "description": "Terminate Node Enrollment subscription",
    "tag": "NodeEnrollment",
    "search_phrase": "Node Enrollment%",
}
WORKFLOWS = (params_create, params_provision, params_modify, params_validate, params_terminate)


def upgrade() -> None:
    conn = op.get_bind()
    create(conn, CATALOG)
    for params in WORKFLOWS:
        create_workflow(conn, params)


def downgrade() -> None:
    conn = op.get_bind()
    for params in reversed(WORKFLOWS):
        delete_workflow(conn, params)
    delete(conn, CATALOG)
