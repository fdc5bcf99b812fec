"""Mistakes in models are found when the class is made; variants are found by status."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

import pytest
from annotated_types import Len
from pydantic import BaseModel, Field

from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.lifecycle import SAFE_STATUSES_OF_USERS, check_users
from orchestrator.domain.products import ProductModel
from orchestrator.domain.registry import ProductModels
from orchestrator.domain.saving import contains_models
from orchestrator.domain.shape import shape_of
from orchestrator.domain.subscriptions import SubscriptionModel, change_lifecycle
from orchestrator.errors import (
    AuthoringError,
    NoSessionError,
    ProductNotRegisteredError,
    UnsafeTransitionError,
    ValuesDoNotFitError,
)
from orchestrator.language.vocabulary import SubscriptionLifecycle

ACTIVE, INITIAL = SubscriptionLifecycle.ACTIVE, SubscriptionLifecycle.INITIAL
PROVISIONING, TERMINATED = SubscriptionLifecycle.PROVISIONING, SubscriptionLifecycle.TERMINATED


class BlockInactive(ProductBlockModel, product_block_name="Block"):
    value: int | None = None


class BlockActive(BlockInactive, lifecycle=[ACTIVE, PROVISIONING]):
    value: int


class Other(ProductBlockModel, product_block_name="Other"):
    value: int | None = None


class Abstract(ProductBlockModel):
    shared: str | None = None


class Concrete(Abstract, product_block_name="Concrete"):
    pass


class ModelInactive(SubscriptionModel, is_base=True):
    speed: int = 1
    block: BlockInactive
    maybe: Other | None = None
    many: Annotated[list[Other], Len(1, 3)]
    bounded: list[Other | BlockInactive] = Field(default_factory=list, max_length=2)


class ModelActive(ModelInactive, lifecycle=[ACTIVE]):
    block: BlockActive
    bounded: list[Other | BlockActive] = Field(default_factory=list, max_length=2)  # type: ignore[assignment]


def product() -> ProductModel:
    return ProductModel(product_id=uuid4(), name="P", description="", product_type="P", tag="P", status="active")


def model() -> ModelInactive:
    owner = uuid4()
    return ModelInactive(
        product=product(),
        customer_id="customer",
        subscription_id=owner,
        block=BlockInactive.new(owner),
        many=[Other.new(owner)],
    )


def test_variants_are_found_by_status() -> None:
    assert ModelActive.variant(ACTIVE) is ModelActive
    assert ModelInactive.variant(ACTIVE) is ModelActive
    assert ModelActive.variant(TERMINATED) is ModelInactive
    assert BlockInactive.variant(PROVISIONING) is BlockActive
    assert ModelActive.suits(INITIAL)
    assert not ModelInactive.suits(ACTIVE)


def test_a_model_for_given_statuses_only_stands_for_the_others_itself() -> None:
    class OnlyInitial(SubscriptionModel, is_base=True, lifecycle=[INITIAL]):
        pass

    class OnlyActive(OnlyInitial, lifecycle=["active"]):  # type: ignore[list-item]
        pass

    assert OnlyActive.variant(INITIAL) is OnlyInitial
    assert OnlyInitial.variant(ACTIVE) is OnlyActive
    assert OnlyActive.variant(TERMINATED) is OnlyActive


def test_the_fields_of_a_model_are_told_apart() -> None:
    shape = shape_of(ModelInactive)
    assert shape.values == ("speed",)
    told = {
        field.name: (field.many, field.optional, field.minimum, field.maximum, field.has_default)
        for field in shape.blocks
    }
    assert told == {
        "block": (False, False, 0, None, False),
        "maybe": (False, True, 0, None, True),
        "many": (True, False, 1, 3, False),
        "bounded": (True, False, 0, 2, True),
    }
    assert shape.blocks[3].kinds == (Other, BlockInactive)


def test_a_block_that_does_not_suit_the_lifecycle_is_found_at_definition() -> None:
    with pytest.raises(AuthoringError, match=r"Wrong\.block is a BlockInactive, but for provisioning it must be a Bl"):

        class Wrong(ModelInactive, lifecycle=[PROVISIONING]):
            pass

    class OuterInactive(ProductBlockModel, product_block_name="Outer"):
        inner: list[BlockInactive]

    with pytest.raises(AuthoringError, match=r"Outer\.inner is a BlockInactive, but for active"):

        class Outer(OuterInactive, lifecycle=[ACTIVE]):
            pass


@pytest.mark.filterwarnings("ignore:Field name:UserWarning")
@pytest.mark.parametrize("name", ["new", "variant", "in_use_by"])
def test_a_field_cannot_be_called_like_a_method(name: str) -> None:
    kind = type(ProductBlockModel)(
        "Wrong", (ProductBlockModel,), {"__module__": __name__, "__annotations__": {name: int}}, product_block_name="W"
    )
    with pytest.raises(AuthoringError, match=rf"Wrong\.{name}: every .* has a '{name}' already"):
        shape_of(kind)


@pytest.mark.parametrize("lifecycle", ["active", 5, [], ["unknown"]])
def test_a_lifecycle_that_is_no_list_of_statuses_is_refused(lifecycle: object) -> None:
    with pytest.raises(AuthoringError, match=r"Wrong: (lifecycle|.*unknown)|Wrong: .*lifecycle"):

        class Wrong(ModelInactive, lifecycle=lifecycle):  # type: ignore[arg-type]
            pass


def test_a_lifecycle_without_a_base_is_refused() -> None:
    with pytest.raises(AuthoringError, match="no class above it has is_base=True"):

        class Lonely(SubscriptionModel, lifecycle=[ACTIVE]):
            pass

    with pytest.raises(AuthoringError, match="no class above it has product_block_name"):

        class LonelyBlock(ProductBlockModel, lifecycle=[ACTIVE]):
            pass


def test_two_variants_for_one_status_are_refused() -> None:
    with pytest.raises(AuthoringError, match="both the variant of ModelInactive for active"):

        class Second(ModelActive, lifecycle=[ACTIVE]):
            pass


def test_blocks_in_places_where_they_cannot_stand_are_refused() -> None:
    for annotation in (dict[str, Other], list[list[Other]], Other | int, tuple[Other, ...]):

        class Wrong(ProductBlockModel, product_block_name="Wrong"):
            field: annotation  # type: ignore[valid-type]

        with pytest.raises(AuthoringError, match=r"Wrong\.field"):
            shape_of(Wrong)


def test_a_plain_pydantic_model_in_a_subscription_is_refused() -> None:
    class Plain(BaseModel):
        value: int

    class Wrong(SubscriptionModel, is_base=True):
        field: Plain

    with pytest.raises(AuthoringError, match=r"Wrong\.field is a pydantic model"):
        shape_of(Wrong)


def test_new_blocks_have_the_name_of_their_class() -> None:
    owner = uuid4()
    block = Concrete.new(owner, name="ignored", shared="x", label="here")
    assert (block.name, block.owner_subscription_id, block.shared, block.label) == ("Concrete", owner, "x", "here")
    assert isinstance(block.subscription_instance_id, UUID)
    assert block.subscription_instance_id != Concrete.new(str(owner)).subscription_instance_id
    with pytest.raises(AuthoringError, match="Abstract is abstract"):
        Abstract.new(owner)
    with pytest.raises(ValuesDoNotFitError, match="BlockActive: value: Field required"):
        BlockActive.new(owner)


def test_a_block_that_may_be_of_several_kinds_must_be_given() -> None:
    class Either(ProductBlockModel, product_block_name="Either"):
        one: Other | BlockInactive

    owner = uuid4()
    with pytest.raises(AuthoringError, match=r"Either\.one may be Other or BlockInactive"):
        Either.new(owner)
    assert type(Either.new(owner, one=BlockInactive.new(owner)).one) is BlockInactive


def test_values_are_checked_when_they_are_assigned() -> None:
    subject = model()
    subject.block.value = "5"  # type: ignore[assignment]
    assert subject.block.value == 5
    with pytest.raises(ValueError, match="valid integer"):
        subject.block.value = "five"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="at least 1 item"):
        subject.many = []
    assert subject.block.name == "Block"


def test_a_model_that_was_never_stored_changes_its_lifecycle_without_a_database() -> None:
    subject = model()
    assert change_lifecycle(subject, INITIAL) is subject
    with pytest.raises(ValuesDoNotFitError, match=r"block\.value: Input should be a valid integer"):
        change_lifecycle(subject, ACTIVE)
    subject.block.value = 5
    subject.bounded = [BlockInactive.new(subject.subscription_id, value=1)]
    active = change_lifecycle(subject, "active")
    assert type(active) is ModelActive
    assert type(active.block) is BlockActive
    assert type(active.bounded[0]) is BlockActive
    assert active.block.subscription_instance_id == subject.block.subscription_instance_id
    assert active.start_date is not None
    terminated = change_lifecycle(active, TERMINATED)
    assert type(terminated) is ModelInactive
    assert terminated.start_date == active.start_date
    assert terminated.end_date is not None
    with pytest.raises(ValueError, match="nonsense"):
        change_lifecycle(active, "nonsense")
    with pytest.raises(AuthoringError, match="not a dict"):
        change_lifecycle({}, ACTIVE)  # type: ignore[type-var]


def test_the_status_that_is_held_makes_the_variant_for_it_and_nothing_more() -> None:
    subject = model()
    subject.block.value = 5
    active = change_lifecycle(subject, ACTIVE)
    active.status = INITIAL
    again = change_lifecycle(active, INITIAL)
    assert type(again) is ModelInactive
    assert again.start_date == active.start_date


def test_models_are_found_in_containers() -> None:
    subject = model()
    assert contains_models({"a": [{"b": (1, subject)}]})
    assert not contains_models({"a": [{"b": (1, subject.block)}], "c": {1, 2}})


def test_nothing_is_saved_without_a_unit_of_work() -> None:
    with pytest.raises(NoSessionError):
        model().save()


def test_the_registry_takes_subscription_models_only() -> None:
    models = ProductModels()
    catalog: dict[str, type] = {"P": ModelActive}
    models.use(catalog)
    assert models.get("P") is ModelActive
    catalog["Q"] = ModelInactive
    assert models.get("Q") is ModelInactive
    with pytest.raises(ProductNotRegisteredError, match=r"product 'R' \(registered: P, Q\)"):
        models.get("R")
    for wrong in (BlockInactive, int):
        with pytest.raises(AuthoringError, match="is no SubscriptionModel"):
            models.use({"P": wrong})


@pytest.mark.parametrize("target", SubscriptionLifecycle)
@pytest.mark.parametrize("used", SubscriptionLifecycle)
def test_users_allow_a_status_or_are_named(target: SubscriptionLifecycle, used: SubscriptionLifecycle) -> None:
    if used in SAFE_STATUSES_OF_USERS[target]:
        check_users(target, [("the user", used)])
    else:
        with pytest.raises(UnsafeTransitionError, match=rf"'the user' \({used.value}\)"):
            check_users(target, [("another", INITIAL), ("the user", used)])


def test_a_port_in_use_is_not_terminated_and_may_become_active() -> None:
    with pytest.raises(UnsafeTransitionError):
        check_users(TERMINATED, [("the user", ACTIVE)])
    check_users(ACTIVE, [("the user", ACTIVE)])
    check_users(PROVISIONING, [("the user", ACTIVE)])
