"""The example package in two releases, by the command line alone, with a thousand live nodes and a thousand ports."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.catalog.catalog_world import CatalogWorld

REPOSITORY = Path(__file__).parents[3]
MANY = 1000
# What the second release of the package changes in its files.
CHANGES = {
    "node_enrollment/models.py": [
        ("    routing_domain: str | None = None\n", "    domain: str | None = None\n"),
        ("    routing_domain: str\n", "    domain: str\n    rack: str\n"),
    ],
    "port/models.py": [
        ('    wavelength: int = Field(1310, description="in nm")\n', '    wavelength: str = "1310"\n'),
        ("    forward_error_correction: bool = False\n", ""),
        ('product_block_name="Port Monitoring"', "product_block_name='Watch \"it\" Ü'"),
    ],
    "__init__.py": [('catalog.add_product(f"Port {speed}", Port)', 'catalog.add_product(f"Port {speed}E", Port)')],
}
SUBSCRIPTIONS = """
WITH nodes AS (
    INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status, insync)
    SELECT gen_random_uuid(), product_id, 'university', 'A node', 'active', true
    FROM products, generate_series(1, {many}) WHERE name = 'Node Enrollment' RETURNING subscription_id
), node_blocks AS (
    INSERT INTO subscription_instances
        (subscription_instance_id, subscription_id, product_block_id, root_attribute, "values")
    SELECT gen_random_uuid(), subscription_id, product_block_id, 'ne', jsonb_build_object(
        'esdb_node_id', 7, 'esdb_node_uuid', 'u', 'nso_service_id', gen_random_uuid(), 'routing_domain', 'r')
    FROM nodes, product_blocks WHERE name = 'Node Enrollment Block' RETURNING subscription_instance_id
), numbered AS (
    SELECT gen_random_uuid() AS port_id, gen_random_uuid() AS root_id, gen_random_uuid() AS fibre_id,
           subscription_instance_id AS node_id FROM node_blocks
), ports AS (
    INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status, insync)
    SELECT port_id, product_id, 'university', 'A port', 'active', true
    FROM numbered, products WHERE name = 'Port 100G'
), port_blocks AS (
    INSERT INTO subscription_instances
        (subscription_instance_id, subscription_id, product_block_id, root_attribute, "values")
    SELECT root_id, port_id, product_block_id, 'port',
           '{{"esdb_port_id": 1, "port_name": "ge-0/0/1", "port_mode": "tagged", "mtu": 9000}}'::jsonb
    FROM numbered, product_blocks WHERE name = 'Port'
    UNION ALL
    SELECT fibre_id, port_id, product_block_id, NULL, '{{"wavelength": 1550, "forward_error_correction": true}}'::jsonb
    FROM numbered, product_blocks WHERE name = 'Fibre Interface'
)
INSERT INTO subscription_instance_relations (in_use_by_id, domain_model_attr, order_id, depends_on_id)
SELECT root_id, 'node', 0, node_id FROM numbered UNION ALL SELECT root_id, 'interface', 0, fibre_id FROM numbered
"""
LOAD_SOME = """
import sys
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.domain.registry import use_products
from orchestrator.language.catalog import Catalog
from orchestrator.storage.database import Database, build_engine
from importlib import import_module
from sqlalchemy import text
catalog = Catalog()
import_module(sys.argv[1]).register(catalog)
use_products(catalog.products)
with Database(build_engine(sys.argv[2], application_name="tests")).transaction("tester") as session:
    ids = session.execute(text("SELECT subscription_id FROM subscriptions ORDER BY description LIMIT 40 OFFSET 980"))
    print({SubscriptionModel.from_subscription(one).description for one in ids.scalars().all()})
"""


class Examples:
    """A copy of the example package under a name of its own."""

    def __init__(self, world: CatalogWorld) -> None:
        self.world = world
        self.folder = world.package
        shutil.rmtree(self.folder)
        shutil.copytree(
            REPOSITORY / "product_workflows", self.folder, ignore=shutil.ignore_patterns("__pycache__", "demo*")
        )
        for file in self.folder.rglob("*.py"):
            file.write_text(file.read_text().replace("product_workflows", self.folder.name))

    def run(self, *words: str, code: int = 0) -> str:
        """Run `orchestrator WORDS`, which ends with this status; returns what it said."""
        return self._python("-m", "orchestrator", *words, code=code)

    def load_some(self) -> bool:
        """Load forty nodes and ports with the models of the present release."""
        return self._python("-c", LOAD_SOME, self.folder.name, self.world.url).count("A ") == 2

    def change(self, *, back: bool = False) -> None:
        """Deploy the code of the second release, or that of the first again."""
        for name, changes in CHANGES.items():
            content = (self.folder / name).read_text()
            for one, other in changes:
                before, after = (other, one) if back else (one, other)
                if before:
                    assert before in content, before
                    content = content.replace(before, after)
                else:
                    anchor = '    wavelength: int = Field(1310, description="in nm")\n'
                    content = content.replace(anchor, anchor + after)
            (self.folder / name).write_text(content)

    def _python(self, *words: str, code: int = 0) -> str:
        environment = {
            **os.environ,
            "ORCHESTRATOR_DATABASE_URL": self.world.url,
            "ORCHESTRATOR_CATALOG": self.folder.name,
            "PYTHONPATH": f"{self.folder.parent}:{REPOSITORY}",
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        done = subprocess.run(
            [sys.executable, *words],
            cwd=self.folder.parent,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, f"{words}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr


@pytest.fixture
def examples(world: CatalogWorld) -> Iterator[Examples]:
    made = Examples(world)
    made.run("db", "upgrade")
    return made


@pytest.mark.slow
def test_the_examples_agree_with_their_revisions(examples: Examples) -> None:
    assert examples.run("catalog", "check") == "Code and database know the same catalog.\n"
    assert "Nothing to write" in examples.run("db", "revision", "--autogenerate", "-m", "Nothing")


@pytest.mark.slow
def test_a_thousand_live_subscriptions_survive_a_release_up_and_down(examples: Examples) -> None:
    world = examples.world
    world.query(SUBSCRIPTIONS.format(many=MANY))
    before = world.dump(), world.values()
    assert examples.load_some()
    files = sorted((examples.folder / "migrations").iterdir())

    examples.change()
    found = examples.run("catalog", "check", code=1)
    assert "block Node Enrollment Block: The code has a value rack (str)" in found
    refused = examples.run("db", "revision", "--autogenerate", "-m", "Second release", code=4)
    for option in (
        '--rename-resource-type "Node Enrollment Block.routing_domain=domain"',
        '--default "Node Enrollment Block.rack=JSON"',
        '--remove-resource-type "Fibre Interface.forward_error_correction"',
        '--rename-product "Port 100G=Port 100GE"',
    ):
        assert option in refused
    assert sorted((examples.folder / "migrations").iterdir()) == files

    choices = [
        *("--rename-resource-type", "Node Enrollment Block.routing_domain=domain"),
        *("--default", 'Node Enrollment Block.rack="?"'),
        *("--remove-resource-type", "Fibre Interface.forward_error_correction"),
        *("--rename-block", 'Port Monitoring=Watch "it" Ü'),
        *(word for speed in ("1G", "10G", "100G") for word in ("--rename-product", f"Port {speed}=Port {speed}E")),
    ]
    examples.run("db", "revision", "--autogenerate", "-m", "Second release", *choices)
    began = time.monotonic()
    world.migrations.upgrade()
    print(f"{2 * MANY} subscriptions in the second release: {time.monotonic() - began:.2f} s")  # noqa: T201
    assert examples.run("catalog", "check") == "Code and database know the same catalog.\n"
    assert examples.load_some()
    assert world.query("""SELECT DISTINCT "values" FROM subscription_instances WHERE "values" ? 'wavelength'""") == [
        ({"wavelength": "1550"},)
    ]

    examples.run("db", "downgrade", "data@-1")
    examples.change(back=True)
    assert (world.dump(), world.values()) == before
    assert examples.load_some()
    (examples.folder / "migrations" / "0004_second_release.py").unlink()
    assert examples.run("catalog", "check") == "Code and database know the same catalog.\n"
