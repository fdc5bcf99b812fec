"""The data revisions of the examples."""

from __future__ import annotations

from typing import Any

from sqlalchemy import inspect

from orchestrator.language.catalog import Catalog
from orchestrator.services.builtin_workflows import register_builtin
from orchestrator.services.catalog_check import check_catalog
from orchestrator.storage.database import Database
from orchestrator.storage.migrating import Migrations
from product_workflows import register

WORKFLOWS = {
    ("create_node_enrollment", "CREATE", False),
    ("provision_node_enrollment", "MODIFY", False),
    ("modify_node_enrollment", "MODIFY", False),
    ("validate_node_enrollment", "SYSTEM", True),
    ("terminate_node_enrollment", "TERMINATE", False),
}


def test_the_data_revision_goes_up_down_and_up_again(database: Database, database_url: str) -> None:
    migrations = Migrations(database_url, ["product_workflows"])

    def catalog() -> set[tuple[Any, ...]]:
        with database.engine.connect() as connection:
            statement = "SELECT name, target, is_task FROM workflows JOIN products_workflows USING (workflow_id)"
            return {tuple(row) for row in connection.exec_driver_sql(statement)}

    def everything() -> int:
        with database.engine.connect() as connection:
            tables = ("products", "product_blocks", "resource_types", "workflows", "products_workflows")
            return sum(connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() for table in tables)

    tables = inspect(database.engine).get_table_names()
    built_in = everything()
    migrations.upgrade()
    assert catalog() >= WORKFLOWS
    made = catalog()
    migrations.downgrade("data@base")
    assert everything() == built_in
    migrations.upgrade()
    assert catalog() == made
    assert inspect(database.engine).get_table_names() == tables


def test_code_and_database_know_the_same_catalog(database_url: str) -> None:
    migrations = Migrations(database_url, ["product_workflows"])
    migrations.upgrade()
    catalog = Catalog()
    register(catalog)
    register_builtin(catalog)
    assert check_catalog(migrations, catalog) == ()
