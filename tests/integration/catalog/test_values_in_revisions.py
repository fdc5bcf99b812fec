"""Revisions of the catalog and a thousand live subscriptions: no value is lost, up or down, nor a save beside it."""

from __future__ import annotations

import threading
import time
from typing import Annotated, Any

import pytest
from pydantic import Field

from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.registry import use_products
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.errors import ConflictError, DataRevisionError, InvalidInputError, StaleSubscriptionError
from orchestrator.language.vocabulary import SubscriptionLifecycle, Target
from tests.integration.catalog.catalog_world import CatalogWorld, named

pytestmark = pytest.mark.slow

MANY = 1000
ACTIVE = [SubscriptionLifecycle.ACTIVE]


def access(
    fields: dict[str, Any], needed: dict[str, Any] | None = None, block: str = "Access"
) -> type[SubscriptionModel]:
    """A model whose block has these optional fields, and needs those while it is active."""

    def model(bases: tuple[type, ...], annotations: dict[str, Any], defaults: dict[str, Any], **words: Any) -> Any:
        name = words.pop("name")
        return type(bases[0])(
            name, bases, {"__module__": __name__, "__annotations__": annotations, **defaults}, **words
        )

    optional = {name: kind | None for name, kind in fields.items()}
    loose = model(
        (ProductBlockModel,), optional, dict.fromkeys(fields), name="AccessBlockInactive", product_block_name=block
    )
    strict = model((loose,), needed or {}, {}, name="AccessBlock", lifecycle=ACTIVE)
    base = model((SubscriptionModel,), {"access": loose}, {}, name="AccessInactive", is_base=True)
    return model((base,), {"access": strict}, {}, name="Access", lifecycle=ACTIVE)


def release(world: CatalogWorld, model: type[SubscriptionModel], product: str = "Access", *workflows: str) -> None:
    catalog = world.release()
    catalog.add_product(product, model, product_type="Access", tag="ACCESS")
    for name in workflows or ("create_access",):
        catalog.add_workflow(named(name, description="Create an access"), products=[product])


@pytest.fixture
def live(world: CatalogWorld) -> CatalogWorld:
    """A thousand active subscriptions with a VLAN and a speed."""
    model = access({"vlan": int, "speed": int}, {"vlan": int})
    release(world, model)
    world.deploy("Accesses")
    base = model.__variants__.base  # type: ignore[union-attr]
    world.subscribe(base, "Access", "access", vlan=101, speed=1000)
    world.multiply(MANY)
    return world


def down(world: CatalogWorld) -> None:
    world.migrations.downgrade("data@-1")


def all_values(world: CatalogWorld) -> set[str]:
    return {str(values) for _, values in world.values()}


def test_a_new_value_that_is_needed_is_filled_in_and_what_was_entered_comes_back(live: CatalogWorld) -> None:
    before = live.dump(), live.values()
    release(live, access({"vlan": int, "speed": int, "contact": str}, {"vlan": int, "contact": str}))
    with pytest.raises(ConflictError, match=r'1000 live blocks .* --default "Access.contact=JSON"'):
        live.write()
    assert list((live.package / "migrations").glob("0002*")) == []

    began = time.monotonic()
    live.deploy(default=('Access.contact="noc"',))
    print(f"{MANY} values filled in: {time.monotonic() - began:.2f} s")  # noqa: T201
    assert all_values(live) == {"{'vlan': 101, 'speed': 1000, 'contact': 'noc'}"}
    live.query("""UPDATE subscription_instances SET "values" = "values" || '{"contact": "Eve"}' """)

    down(live)
    assert (live.dump(), live.values()) == before
    live.migrations.upgrade()
    assert all_values(live) == {"{'vlan': 101, 'speed': 1000, 'contact': 'Eve'}"}


@pytest.mark.parametrize("given", ["Access.contact=noc", "Access.contact=7", "Access.contact=null", "Access.con=1"])
def test_a_default_that_cannot_be_is_refused(live: CatalogWorld, given: str) -> None:
    release(live, access({"vlan": int, "speed": int, "contact": str}, {"vlan": int, "contact": str}))
    with pytest.raises(InvalidInputError, match="contact"):
        live.write(default=(given,))


def test_an_optional_value_that_becomes_needed_is_filled_in_where_there_is_none(live: CatalogWorld) -> None:
    first = live.values()[0][0]
    live.query("""UPDATE subscription_instances SET "values" = "values" - 'speed' """)
    one = """UPDATE subscription_instances SET "values" = "values" || '{"speed": 7}' """
    live.query(f"{one} WHERE subscription_instance_id = %s", first)
    release(live, access({"vlan": int, "speed": int}, {"vlan": int, "speed": int}))
    assert live.check() == [("ValuesMissing", "block Access")]

    live.deploy(default=("Access.speed=10",))
    assert all_values(live) == {"{'vlan': 101, 'speed': 10}", "{'vlan': 101, 'speed': 7}"}


def test_a_renamed_value_keeps_what_is_written_under_the_new_name(live: CatalogWorld) -> None:
    before = live.dump()
    release(live, access({"vlan_id": int, "speed": int}, {"vlan_id": int}))
    with pytest.raises(ConflictError) as refused:
        live.write()
    assert '--rename-resource-type "Access.vlan=vlan_id"' in str(refused.value)
    assert '--remove-resource-type "Access.vlan"' in str(refused.value)

    live.deploy(rename_resource_type=("Access.vlan=vlan_id",))
    assert all_values(live) == {"{'speed': 1000, 'vlan_id': 101}"}
    live.query("""UPDATE subscription_instances SET "values" = "values" || '{"vlan_id": 102}' """)

    down(live)
    assert live.dump() == before
    assert all_values(live) == {"{'vlan': 102, 'speed': 1000}"}


def test_a_value_that_is_taken_away_comes_back_on_the_way_down(live: CatalogWorld) -> None:
    before = live.dump(), live.values()
    release(live, access({"vlan": int}, {"vlan": int}))
    with pytest.raises(ConflictError, match=r'1000 values.* --remove-resource-type "Access.speed"'):
        live.write()

    live.deploy(remove_resource_type=("Access.speed",))
    assert all_values(live) == {"{'vlan': 101}"}

    down(live)
    assert (live.dump(), live.values()) == before


def test_numbers_become_texts_and_numbers_again(live: CatalogWorld) -> None:
    before = live.dump(), live.values()
    release(live, access({"vlan": str, "speed": int}, {"vlan": str}))
    assert live.check() == [("ResourceTypeDiffers", "block Access")]

    live.deploy()
    assert all_values(live) == {"{'vlan': '101', 'speed': 1000}"}

    down(live)
    assert (live.dump(), live.values()) == before


def test_a_text_that_is_no_number_cannot_go_back(live: CatalogWorld) -> None:
    release(live, access({"vlan": str, "speed": int}, {"vlan": str}))
    live.deploy()
    live.query("""UPDATE subscription_instances SET "values" = "values" || '{"vlan": "a1"}' """)
    after = live.dump(), live.values()

    with pytest.raises(DataRevisionError, match=r"1000 values of Access.vlan cannot become a number"):
        down(live)
    assert (live.dump(), live.values()) == after


def test_a_type_that_nobody_stated_is_seen_by_the_values(live: CatalogWorld) -> None:
    live.query("UPDATE product_block_resource_types SET value_type = NULL")
    assert live.check() == []
    release(live, access({"vlan": str, "speed": int}, {"vlan": str}))
    assert live.check() == [("ResourceTypeDiffers", "block Access")]

    live.deploy()
    assert all_values(live) == {"{'vlan': '101', 'speed': 1000}"}


@pytest.mark.parametrize(
    ("kind", "said"),
    [(list[int], "JSON of the kind number"), (Annotated[int, Field(gt=101)], ""), (bool, "JSON of the kind number")],
)
def test_values_that_do_not_fit_the_new_type_stop_the_revision(live: CatalogWorld, kind: Any, said: str) -> None:
    release(live, access({"vlan": kind, "speed": int}, {"vlan": kind}))
    if not said:  # constraints are no types: what is there stays
        assert live.check() == []
        return
    with pytest.raises(ConflictError, match=f"Access.vlan was int and is .* in the code, but its values are {said}"):
        live.write()


def test_block_product_and_workflow_have_new_names_and_keep_everything(live: CatalogWorld) -> None:
    before = live.dump(), live.values()
    model = access({"vlan_id": int, "speed": int}, {"vlan_id": int}, block='The "Access" of Zoë\'s')
    release(live, model, "Zugang = 'Ü'", "make_access")
    with pytest.raises(ConflictError) as refused:
        live.write()
    assert "has 1000 subscriptions" in str(refused.value)
    assert "subscriptions have 1000 of it" in str(refused.value)

    live.deploy(
        rename_product=("Access=Zugang = 'Ü'",),
        rename_block=('Access=The "Access" of Zoë\'s',),
        rename_workflow=("create_access=make_access",),
        rename_resource_type=("Access.vlan=vlan_id",),
    )
    assert live.query("SELECT product_id FROM products") == live.query("SELECT DISTINCT product_id FROM subscriptions")
    assert all_values(live) == {"{'speed': 1000, 'vlan_id': 101}"}

    down(live)
    assert (live.dump(), live.values()) == before


def test_what_subscriptions_use_is_not_taken_out(live: CatalogWorld) -> None:
    live.release().add_workflow(named("create_access", Target.SYSTEM, "Create an access"))
    with pytest.raises(ConflictError) as refused:
        live.write()
    assert "The product 'Access' is gone from the code, but has 1000 subscriptions." in str(refused.value)
    assert "The block 'Access' is gone from the code, but subscriptions have 1000 of it." in str(refused.value)


def test_who_saves_while_values_are_filled_in_loses_nothing(live: CatalogWorld) -> None:
    model = access({"vlan": int, "speed": int}, {"vlan": int})
    release(live, access({"vlan": int, "speed": int, "contact": str}, {"vlan": int, "contact": str}))
    assert live.write(default=('Access.contact="noc"',))
    use_products({"Access": model})
    (identifier,) = live.query("SELECT subscription_id FROM subscriptions LIMIT 1")[0]

    with live.unit():
        loaded = model.from_subscription(identifier)
        live.migrations.upgrade()  # a process has loaded it, and saves it when the revision is through
        loaded.access.speed = 10  # type: ignore[attr-defined]
        loaded.save()

    assert all_values(live) == {
        "{'vlan': 101, 'speed': 1000, 'contact': 'noc'}",
        "{'vlan': 101, 'speed': 10, 'contact': 'noc'}",
    }


def test_who_saves_under_an_old_name_is_refused(live: CatalogWorld) -> None:
    model = access({"vlan": int, "speed": int}, {"vlan": int})
    release(live, access({"vlan_id": int, "speed": int}, {"vlan_id": int}))
    assert live.write(rename_resource_type=("Access.vlan=vlan_id",))
    use_products({"Access": model})
    (identifier,) = live.query("SELECT subscription_id FROM subscriptions LIMIT 1")[0]

    with live.unit():
        loaded = model.from_subscription(identifier)
        live.migrations.upgrade()
        loaded.access.vlan = 10  # type: ignore[attr-defined]
        with pytest.raises(StaleSubscriptionError):
            loaded.save()

    assert all_values(live) == {"{'speed': 1000, 'vlan_id': 101}"}


def test_saves_and_a_revision_wait_for_each_other_without_a_deadlock(live: CatalogWorld) -> None:
    model = access({"vlan": int, "speed": int}, {"vlan": int})
    release(live, access({"vlan": int, "speed": int, "contact": str}, {"vlan": int, "contact": str}))
    assert live.write(default=('Access.contact="noc"',))
    use_products({"Access": model})
    identifiers = [row[0] for row in live.query("SELECT subscription_id FROM subscriptions ORDER BY random()")]
    failures: list[Exception] = []

    def save_many(ids: list[Any]) -> None:
        try:
            for first, second in zip(ids[::2], ids[1::2], strict=False):
                with live.unit():
                    for identifier in (first, second):
                        loaded = model.from_subscription(identifier)
                        loaded.access.speed = 10  # type: ignore[attr-defined]
                        loaded.save()
        except Exception as error:  # noqa: BLE001 - the test tells of it
            failures.append(error)

    threads = [threading.Thread(target=save_many, args=(identifiers[start::2],)) for start in (0, 1)]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    live.migrations.upgrade()
    for thread in threads:
        thread.join()

    assert failures == []
    assert all_values(live) == {"{'vlan': 101, 'speed': 10, 'contact': 'noc'}"}
