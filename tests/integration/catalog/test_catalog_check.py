"""`orchestrator catalog check` finds each kind of difference; the written revision mends it, and takes it back."""

from __future__ import annotations

import pytest

from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.language.catalog import Catalog
from orchestrator.language.vocabulary import SubscriptionLifecycle, Target
from tests.integration.catalog.catalog_world import CatalogWorld, named


class CardBlock(ProductBlockModel, product_block_name="Card"):
    serial: str | None = None


class NodeBlock(ProductBlockModel, product_block_name="Node"):
    node_id: int | None = None
    site: str | None = None
    card: CardBlock | None = None


class Node(SubscriptionModel, is_base=True):
    speed: int
    node: NodeBlock


class ActiveNode(Node, lifecycle=[SubscriptionLifecycle.ACTIVE]):
    pass


def first_release(catalog: Catalog) -> None:
    catalog.add_product(
        "Node", ActiveNode, product_type="Node", tag="NODE", description="A node", fixed_inputs={"speed": 10}
    )
    catalog.add_workflow(named("create_node"), products=["Node"])
    catalog.add_workflow(named("modify_node", Target.MODIFY), products=["Node"])
    catalog.add_workflow(named("count_nodes", Target.SYSTEM))


@pytest.fixture
def deployed(world: CatalogWorld) -> CatalogWorld:
    """The first release, with a product and three workflows."""
    first_release(world.release())
    world.deploy("Nodes")
    return world


def test_code_and_database_agree_after_the_first_revision(deployed: CatalogWorld) -> None:
    assert deployed.check() == []
    assert deployed.write() is None
    assert deployed.query("SELECT name, product_type, tag, description FROM products") == [
        ("Node", "Node", "NODE", "A node")
    ]


# What happens to the database, and what is found then.
BREAKS = {
    "product": (
        "DELETE FROM products",
        [
            ("ProductMissing", "product Node"),
            ("WorkflowProductMissing", "workflow create_node"),
            ("WorkflowProductMissing", "workflow modify_node"),
        ],
    ),
    "extra product": (
        "INSERT INTO products (product_id, name, product_type, tag) VALUES (gen_random_uuid(), 'Old', 'Old', 'OLD')",
        [("ProductExtra", "product Old")],
    ),
    "product's tag": ("UPDATE products SET tag = 'OTHER'", [("ProductDiffers", "product Node")]),
    "product's type": ("UPDATE products SET product_type = 'OTHER'", [("ProductDiffers", "product Node")]),
    "product's description": ("UPDATE products SET description = ''", [("ProductDiffers", "product Node")]),
    "fixed input": ("DELETE FROM fixed_inputs", [("FixedInputMissing", "product Node")]),
    "extra fixed input": (
        "INSERT INTO fixed_inputs SELECT gen_random_uuid(), product_id, 'colour', 'red' FROM products",
        [("FixedInputExtra", "product Node")],
    ),
    "value of a fixed input": ("UPDATE fixed_inputs SET value = '1'", [("FixedInputDiffers", "product Node")]),
    "root block": (
        "DELETE FROM product_product_blocks",
        [("ProductBlockMissing", "product Node")],
    ),
    "extra root block": (
        "WITH made AS (INSERT INTO product_blocks (product_block_id, name, status) "
        "VALUES (gen_random_uuid(), 'Old', 'end of life') RETURNING product_block_id) "
        "INSERT INTO product_product_blocks SELECT product_id, product_block_id FROM products, made",
        [("ProductBlockExtra", "product Node")],
    ),
    "block": (
        "DELETE FROM product_blocks WHERE name = 'Card'"
        + "; DELETE FROM resource_types WHERE resource_type = 'serial'",
        [("BlockMissing", "block Card"), ("RelationMissing", "block Node")],
    ),
    "extra block": (
        "INSERT INTO product_blocks (product_block_id, name) VALUES (gen_random_uuid(), 'Old')",
        [("BlockExtra", "block Old")],
    ),
    "relation": ("DELETE FROM product_block_relations", [("RelationMissing", "block Node")]),
    "extra relation": (
        "INSERT INTO product_block_relations (in_use_by_id, depends_on_id) "
        "SELECT a.product_block_id, b.product_block_id FROM product_blocks a, product_blocks b "
        "WHERE a.name = 'Card' AND b.name = 'Node'",
        [("RelationExtra", "block Card")],
    ),
    "resource type": (
        "DELETE FROM product_block_resource_types l USING resource_types r "
        "WHERE l.resource_type_id = r.resource_type_id AND resource_type = 'site'; "
        "DELETE FROM resource_types WHERE resource_type = 'site'",
        [("ResourceTypeMissing", "block Node")],
    ),
    "extra resource type": (
        "INSERT INTO product_block_resource_types SELECT product_block_id, resource_type_id "
        "FROM product_blocks, resource_types WHERE name = 'Node' AND resource_type = 'serial'",
        [("ResourceTypeExtra", "block Node")],
    ),
    "type": (
        "UPDATE product_block_resource_types SET value_type = 'float' WHERE value_type = 'int'",
        [("ResourceTypeDiffers", "block Node")],
    ),
    "workflow": (
        "DELETE FROM workflows WHERE name = 'modify_node'",
        [("WorkflowMissing", "workflow modify_node")],
    ),
    "extra workflow": (
        "INSERT INTO workflows (workflow_id, name, target) VALUES (gen_random_uuid(), 'old', 'SYSTEM')",
        [("WorkflowExtra", "workflow old")],
    ),
    "target": (
        "UPDATE workflows SET target = 'TERMINATE' WHERE name = 'modify_node'",
        [("WorkflowDiffers", "workflow modify_node")],
    ),
    "description": (
        "UPDATE workflows SET description = 'x' WHERE name = 'modify_node'",
        [("WorkflowDiffers", "workflow modify_node")],
    ),
    "being a task": (
        "UPDATE workflows SET is_task = false WHERE name = 'count_nodes'",
        [("WorkflowDiffers", "workflow count_nodes")],
    ),
    "product of a built-in workflow": (
        "DELETE FROM products_workflows USING workflows w "
        "WHERE w.workflow_id = products_workflows.workflow_id AND name = 'modify_note'",
        [("WorkflowProductMissing", "workflow modify_note")],
    ),
    "product of a workflow": (
        "DELETE FROM products_workflows USING workflows w "
        "WHERE w.workflow_id = products_workflows.workflow_id AND name = 'create_node'",
        [("WorkflowProductMissing", "workflow create_node")],
    ),
}


@pytest.mark.parametrize("kind", BREAKS)
def test_a_difference_is_found_and_mended_and_comes_back_on_the_way_down(deployed: CatalogWorld, kind: str) -> None:
    statement, found = BREAKS[kind]
    deployed.query(statement)
    before = deployed.dump()
    assert deployed.check() == found

    deployed.deploy()

    deployed.migrations.downgrade("data@-1")
    assert deployed.dump() == before


def test_a_workflow_for_no_product_and_a_product_without_workflows_are_found(world: CatalogWorld) -> None:
    catalog = world.release()
    first_release(catalog)
    world.deploy("Nodes")
    world.query(
        "DELETE FROM products_workflows USING workflows w "
        "WHERE w.workflow_id = products_workflows.workflow_id AND w.name <> 'modify_note'"
    )
    catalog = world.release()
    catalog.add_product("Node", ActiveNode, fixed_inputs={"speed": 10})
    catalog.add_workflow(named("create_node"))
    catalog.add_workflow(named("modify_node", Target.MODIFY), products=[])
    catalog.add_workflow(named("count_nodes", Target.SYSTEM))

    assert world.check() == [
        ("ProductWithoutWorkflows", "product Node"),
        ("WorkflowWithoutProduct", "workflow create_node"),
        ("WorkflowWithoutProduct", "workflow modify_node"),
    ]
    assert world.write() is None
