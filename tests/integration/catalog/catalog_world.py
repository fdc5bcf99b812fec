"""A catalog package of a test's own: its code in releases, its revisions, its database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
from sqlalchemy import Connection
from sqlalchemy.orm import Session

from orchestrator.domain.registry import use_products
from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle
from orchestrator.language.catalog import Catalog
from orchestrator.language.step_list import StepList
from orchestrator.language.vocabulary import Target
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import create_workflow, modify_workflow, task, validate_workflow
from orchestrator.services.builtin_workflows import register_builtin
from orchestrator.services.catalog_check import check_catalog
from orchestrator.services.catalog_choices import Choices
from orchestrator.services.catalog_revision import Ask, write_revision
from orchestrator.storage.database import build_engine, libpq_url
from orchestrator.storage.migrating import Migrations
from orchestrator.storage.session import Origin, current_session

_CATALOG_TABLES = (
    "products",
    "fixed_inputs",
    "product_blocks",
    "resource_types",
    "workflows",
    "product_product_blocks",
    "product_block_resource_types",
    "product_block_relations",
    "products_workflows",
)
_VALUES = 'SELECT subscription_instance_id::text, "values" FROM subscription_instances ORDER BY 1'
_DECORATORS = {
    Target.CREATE: create_workflow,
    Target.MODIFY: modify_workflow,
    Target.VALIDATE: validate_workflow,
    Target.SYSTEM: task,
}


def named(name: str, target: Target = Target.CREATE, description: str = "") -> Workflow:
    """A workflow of this name, without steps of its own."""

    def body() -> StepList:
        return StepList()

    body.__name__ = name
    return _DECORATORS[target](description or name)(body)


class CatalogWorld:
    """One package and one database."""

    def __init__(self, package: Path, database_url: str) -> None:
        self.package = package
        self.url = database_url
        self.migrations = Migrations(database_url, [package.name])
        self.catalog = Catalog()
        self._engine = build_engine(database_url, application_name="tests")

    def close(self) -> None:
        self._engine.dispose()
        use_products({})

    def release(self) -> Catalog:
        """The code of a new release, empty as yet."""
        self.catalog = Catalog()
        return self.catalog

    def check(self) -> list[tuple[str, str]]:
        """Kind and place of each difference."""
        self._load()
        return [(one.kind, one.where) for one in check_catalog(self.migrations, self.catalog)]

    def write(self, message: str = "Change", ask: Ask | None = None, **choices: tuple[str, ...]) -> Path | None:
        """Write the revision for what differs."""
        self._load()
        return write_revision(self.migrations, self.catalog, message, Choices(**choices), ask=ask).file

    def _load(self) -> None:
        register_builtin(self.catalog)
        use_products(self.catalog.products)

    def deploy(self, message: str = "Change", **choices: tuple[str, ...]) -> Path:
        """Write the revision, look at its style, and apply it; afterwards nothing differs."""
        file = self.write(message, **choices)
        assert file is not None
        for words in (["check", "--select", "E,F,W,I,UP,RUF,Q"], ["format", "--check"]):
            command = [sys.executable, "-m", "ruff", words[0], "-q", "--isolated", *words[1:], "--line-length", "120"]
            done = subprocess.run([*command, str(file)], check=False, capture_output=True, text=True)
            assert done.returncode == 0, f"{done.stdout}\n{file.read_text()}"
        self.migrations.upgrade()
        assert self.check() == []
        return file

    def dump(self) -> dict[str, list[str]]:
        """All rows of the catalog's tables, as JSON."""
        with psycopg.connect(libpq_url(self.url)) as connection:
            return {
                table: [row[0] for row in connection.execute(f"SELECT to_jsonb(t)::text FROM {table} t ORDER BY 1")]
                for table in _CATALOG_TABLES
            }

    def values(self) -> list[tuple[str, dict[str, Any]]]:
        """The values of all blocks."""
        return self.query(_VALUES)

    def query(self, statement: str, *words: Any) -> list[Any]:
        with psycopg.connect(libpq_url(self.url)) as connection:
            cursor = connection.execute(statement, words)
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def unit(self) -> Iterator[Session]:
        """A unit of work of some process, committed at its end."""
        origin = Origin("tester", uuid4(), None, "a_step")
        with Session(self._engine) as session, current_session(lambda: session, origin), session.begin():
            yield session

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            yield connection

    def subscribe(self, model: type[SubscriptionModel], product: str, attribute: str, **values: Any) -> Any:
        """An active subscription with these values in its block; returns its id."""
        use_products(self.catalog.products)
        (product_id,) = self.query("SELECT product_id FROM products WHERE name = %s", product)[0]
        with self.unit():
            made = model.from_product_id(product_id, "customer", insync=True)
            for name, value in values.items():
                setattr(getattr(made, attribute), name, value)
            made = change_lifecycle(made, "active")
            made.save()
            return made.subscription_id

    def multiply(self, number: int) -> None:
        """Copy the only subscription, until there are so many."""
        self.query(
            """
            WITH made AS (
                INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status, insync)
                SELECT gen_random_uuid(), product_id, customer_id, description, status, insync
                FROM subscriptions, generate_series(2, %s) RETURNING subscription_id)
            INSERT INTO subscription_instances
                (subscription_instance_id, subscription_id, product_block_id, root_attribute, "values")
            SELECT gen_random_uuid(), made.subscription_id, i.product_block_id, i.root_attribute, i."values"
            FROM made, subscription_instances i
            """,
            number,
        )
