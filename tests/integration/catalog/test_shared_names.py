"""Names that several things share: resource types of two blocks, workflows that schedules start, products that end."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.errors import ConflictError, DataRevisionError
from tests.integration.catalog.catalog_world import CatalogWorld, named
from tests.integration.catalog.test_values_in_revisions import access, all_values, down, release

pytestmark = pytest.mark.slow

_SCHEDULE = """
INSERT INTO schedules (schedule_id, name, workflow_name, pages, every, start_at, owner, created_by)
VALUES (gen_random_uuid(), 'often', 'create_access', '[]', 60, now(), 'alice', 'alice')
"""


def two_products(world: CatalogWorld, first: str, second: str) -> Any:
    """A release with the blocks A and B, of which each has a number of this name; their models."""
    catalog = world.release()
    models = access({first: int}, block="A"), access({second: int}, block="B")
    for name, model in zip(("Product A", "Product B"), models, strict=True):
        catalog.add_product(name, model, product_type=name, tag=name)
    catalog.add_workflow(named("create_both"), products=["Product A", "Product B"])
    return [model.__variants__.base for model in models]  # type: ignore[union-attr]


@pytest.fixture
def shared(world: CatalogWorld) -> CatalogWorld:
    """Both blocks have the resource type `vlan`, and a subscription each."""
    bases = two_products(world, "vlan", "vlan")
    world.deploy("Products")
    world.query("UPDATE resource_types SET description = 'a number'")
    for number, (letter, base) in enumerate(zip("AB", bases, strict=True)):
        world.subscribe(base, f"Product {letter}", "access", vlan=number)
    return world


@pytest.mark.parametrize(
    ("names", "renames", "known"),
    [
        (("vlan_id", "vlan"), ("A.vlan=vlan_id",), ["vlan", "vlan_id"]),
        (("vlan_id", "vlan_id"), ("A.vlan=vlan_id", "B.vlan=vlan_id"), ["vlan_id"]),
        (("one", "other"), ("A.vlan=one", "B.vlan=other"), ["one", "other"]),
    ],
)
def test_a_resource_type_that_two_blocks_share_is_renamed_and_comes_back_as_it_was(
    shared: CatalogWorld, names: tuple[str, str], renames: tuple[str, ...], known: list[str]
) -> None:
    before = shared.dump(), shared.values()
    two_products(shared, *names)
    shared.deploy(rename_resource_type=renames)
    assert all_values(shared) == {f"{{'{names[0]}': 0}}", f"{{'{names[1]}': 1}}"}
    stored = shared.query("SELECT resource_type, description FROM resource_types ORDER BY 1")
    assert stored == [(name, "a number") for name in known]

    down(shared)
    assert (shared.dump(), shared.values()) == before


def test_two_blocks_exchange_the_names_of_their_resource_types(world: CatalogWorld) -> None:
    bases = two_products(world, "vlan", "speed")
    world.deploy("Products")
    world.subscribe(bases[0], "Product A", "access", vlan=101)
    before = world.dump(), world.values()
    two_products(world, "speed", "vlan")
    world.deploy(rename_resource_type=("A.vlan=speed", "B.speed=vlan"))
    assert all_values(world) == {"{'speed': 101}"}

    down(world)
    assert (world.dump(), world.values()) == before


def test_schedules_go_on_under_the_new_name_of_their_workflow(world: CatalogWorld) -> None:
    release(world, access({"vlan": int}))
    world.deploy("Accesses")
    world.query(_SCHEDULE)
    release(world, access({"vlan": int}), "Access", "make_access")
    with pytest.raises(
        ConflictError, match=r"0 processes that are not finished, and 1 schedules.*create_access=make_a"
    ):
        world.write()
    world.deploy(rename_workflow=("create_access=make_access",))
    assert world.query("SELECT workflow_name FROM schedules WHERE name = 'often'") == [("make_access",)]

    down(world)
    assert world.query("SELECT workflow_name FROM schedules WHERE name = 'often'") == [("create_access",)]


def test_what_was_subscribed_between_writing_and_applying_stops_the_revision(world: CatalogWorld) -> None:
    model = access({"vlan": int}, {"vlan": int})
    release(world, model)
    world.deploy("Accesses")
    release(world, access({"vlan": int, "speed": int}, {"vlan": int, "speed": int}))
    assert world.write() is not None, "nobody lacks a speed yet"
    release(world, model)
    world.subscribe(model.__variants__.base, "Access", "access", vlan=1)  # type: ignore[union-attr]
    before = world.dump(), world.values()

    with pytest.raises(DataRevisionError, match="1 blocks 'Access' of live subscriptions need a value of 'speed'"):
        world.migrations.upgrade()
    assert (world.dump(), world.values()) == before


def test_a_product_at_the_end_of_its_life_needs_no_code_and_keeps_its_subscriptions(shared: CatalogWorld) -> None:
    before = shared.values()
    catalog = shared.release()
    catalog.add_product("Product B", access({"vlan": int}, block="B"), product_type="Product B", tag="Product B")
    catalog.add_workflow(named("create_both"), products=["Product B"])
    with pytest.raises(ConflictError, match="'Product A' is gone from the code, but has 1 subscriptions"):
        shared.write()

    shared.query("UPDATE products SET status = 'end of life' WHERE name = 'Product A'")
    assert shared.check() == []
    assert shared.write() is None
    assert shared.values() == before
