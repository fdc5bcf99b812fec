"""What a save compares with: told by the rows where no code of authors takes part, else taken when it was loaded."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network
from typing import Annotated, Any
from uuid import UUID

import pytest
from pydantic import AfterValidator, BaseModel, Field, PrivateAttr, field_serializer, field_validator, model_validator

from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.plainness import is_plain
from orchestrator.domain.stored import StoredTree
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.storage.database import dump_json
from tests.integration.domain.models import (
    MODELS,
    Circuit,
    CircuitBlock,
    Colour,
    EndpointBlock,
    Level,
    LoopbackBlock,
    new_circuit,
)

RUNS: list[str] = []


class ValuesBlock(ProductBlockModel, product_block_name="Everything"):
    text: str | None = None
    number: Annotated[int, Field(ge=0)] | None = None
    flag: bool | None = None
    ratio: float | None = None
    price: Decimal | None = None
    moment: datetime | None = None
    day: date | None = None
    pause: timedelta | None = None
    identifier: UUID | None = None
    colour: Colour | None = None
    level: Level | None = None
    network: IPv4Network | IPv6Network | None = None
    numbers: list[int] = Field(default_factory=list)
    named: dict[str, list[int]] = Field(default_factory=dict)
    anything: Any = None
    below: list[LoopbackBlock] = Field(default_factory=list)


class Values(SubscriptionModel, is_base=True):
    values: ValuesBlock
    more: list[ValuesBlock] = Field(default_factory=list)


class CheckedBlock(ProductBlockModel, product_block_name="Everything"):
    text: str | None = None

    @field_validator("text")
    @classmethod
    def _count(cls, value: str | None) -> str | None:
        RUNS.append(f"{value}")
        return value


class Checked(SubscriptionModel, is_base=True):
    values: CheckedBlock


# What may stand in the rows, and is another way to write what the model reads.
OTHERWISE = {
    "number": "5",
    "flag": "yes",
    "ratio": 1,
    "price": 1.5,
    "moment": "2026-01-02 03:04:05+01:00",
    "day": "2026-01-02T00:00:00",
    "pause": 60,
    "identifier": "0192000000007000A000000000000001",
    "level": "2",
    "network": "2001:DB8::/32",
    "numbers": ["1", 2.0],
    "named": {"a": ["1"]},
    "anything": {"a": [1, 1.0, True]},
}
CHANGED: dict[str, Any] = {
    "text": "other",
    "number": 6,
    "flag": False,
    "ratio": 2.5,
    "price": Decimal("2.50"),
    "moment": datetime(2027, 1, 1, tzinfo=UTC),
    "day": date(2027, 1, 1),
    "pause": timedelta(seconds=1),
    "identifier": UUID(int=1),
    "colour": Colour.BLUE,
    "level": Level.LOW,
    "network": IPv4Network("10.0.0.0/8"),
    "numbers": [3],
    "named": {"b": []},
    "anything": 1.0,
}


@pytest.fixture
def stored(unit, products, register) -> UUID:
    register({"Everything": Values})
    with unit():
        model = Values.from_product_id(products["Everything"], "customer")
        owner = model.subscription_id
        model.values.text = "first"
        model.values.below = [LoopbackBlock.new(owner), LoopbackBlock.new(owner, label="second")]
        model.more = [ValuesBlock.new(owner, numbers=[number], below=model.values.below[:1]) for number in range(3)]
        model.save()
    return owner


@pytest.fixture
def registered(register) -> None:
    register(MODELS)


def write(session: Any, values: dict[str, Any]) -> None:
    session.connection().exec_driver_sql(
        "UPDATE subscription_instances SET values = values || %s::jsonb WHERE root_attribute IS NOT NULL",
        (dump_json(values),),
    )


def change_something(model: Values, chance: random.Random) -> None:
    blocks = [model.values, *model.more]
    for _ in range(chance.randrange(4)):
        block = chance.choice(blocks)
        match chance.randrange(6):
            case 0:
                block.numbers.append(7)
            case 1:
                block.named.setdefault("a", []).append(7)
            case 2:
                block.below.reverse()
            case 3:
                model.more = model.more[1:]
            case 4:
                block.label = "labelled"
            case _:
                name = chance.choice(list(CHANGED))
                setattr(block, name, CHANGED[name])


@pytest.mark.parametrize("seed", range(25))
def test_what_the_rows_tell_is_what_the_model_was_when_it_was_loaded(unit, stored: UUID, seed: int) -> None:
    chance = random.Random(seed)
    with unit() as session:
        write(session, {name: OTHERWISE[name] for name in chance.sample(list(OTHERWISE), chance.randrange(14))})
        model = Values.from_subscription(stored)
        loaded = model._loaded
        assert isinstance(loaded, StoredTree)
        taken = model._snapshot().limited_to(loaded.tree.rows().blocks)
        change_something(model, chance)
        assert loaded.snapshot(model._snapshot()) == taken


def test_another_way_to_write_a_value_is_no_change(unit, stored: UUID, statements: list[Any]) -> None:
    with unit() as session:
        write(session, OTHERWISE)
        model = Values.from_subscription(stored)
        statements.clear()
        model.save()
        assert statements == []


def test_a_change_inside_a_value_is_noticed(unit, stored: UUID) -> None:
    with unit() as session:
        write(session, {"anything": {"list": [1]}, "named": {"a": [1]}})
    for change in (
        lambda block: block.anything["list"].append(2),
        lambda block: block.named["a"].append(2),
        lambda block: block.numbers.append(2),
    ):
        with unit():
            model = Values.from_subscription(stored)
            version = model.version
            change(model.values)
            model.save()
            assert model.version == version + 1


def test_shared_blocks_and_those_of_others_are_told_by_the_rows(unit, products, registered, port) -> None:
    with unit():
        circuit = new_circuit(products)
        owner = circuit.subscription_id
        circuit.backup = CircuitBlock.new(owner)
        shared = LoopbackBlock.new(owner)
        for endpoint in (*circuit.circuit.endpoints, *circuit.backup.endpoints):
            endpoint.shared, endpoint.port = shared, port.port
        circuit.circuit.spare = circuit.circuit.endpoints[0]
        circuit.extras = [shared]
        circuit.save()
    with unit():
        model = Circuit.from_subscription(owner)
        loaded = model._loaded
        assert isinstance(loaded, StoredTree)
        taken = model._snapshot().limited_to(loaded.tree.rows().blocks)
        assert loaded.snapshot(model._snapshot()) == taken
        model.backup = None
        model.circuit.endpoints.append(EndpointBlock.new(owner))
        assert loaded.snapshot(model._snapshot()) == taken


def test_what_an_author_checks_is_checked_once_for_each_load(unit, products, register) -> None:
    register({"Everything": Checked})
    with unit():
        model = Checked.from_product_id(products["Everything"], "customer")
        model.save()
    with unit():
        model = Checked.from_subscription(model.subscription_id)
        RUNS.clear()
        model.values.text = "new"
        model.save()
        assert RUNS == ["new"]


class Range(BaseModel):
    start: int = 0


class SetUp(ProductBlockModel, product_block_name="Set up"):
    def model_post_init(self, _: Any) -> None:
        self.label = "set up"


class Counting(ProductBlockModel, product_block_name="Counting"):
    _count: int = PrivateAttr(default=0)


class Shown(ProductBlockModel, product_block_name="Shown"):
    text: str = ""

    @field_serializer("text")
    def _show(self, value: str) -> str:
        return value.upper()


class Whole(ProductBlockModel, product_block_name="Whole"):
    @model_validator(mode="after")
    def _look(self) -> Whole:
        return self


class InTheType(ProductBlockModel, product_block_name="In the type"):
    numbers: list[Annotated[int, AfterValidator(abs)]] = Field(default_factory=list)


class Sorting(ProductBlockModel, product_block_name="Sorting"):
    below: Annotated[list[LoopbackBlock], AfterValidator(list)] = Field(default_factory=list)


class Inside(ProductBlockModel, product_block_name="Inside"):
    range: Range = Range()


class Labelled(ProductBlockModel, product_block_name="Labelled"):
    label: Annotated[str | None, AfterValidator(str)] = None


class OwnType(ProductBlockModel, product_block_name="Own type"):
    text: Annotated[str, Field(pattern="^a")] = "a"


@pytest.mark.parametrize("model", [Values, ValuesBlock, Circuit, CircuitBlock, EndpointBlock, Counting])
def test_a_model_without_code_of_its_author_is_told_by_the_rows(model) -> None:
    assert is_plain(model)


@pytest.mark.parametrize("model", [SetUp, Shown, Whole, InTheType, Sorting, Inside, Labelled, OwnType, CheckedBlock])
def test_a_model_with_code_of_its_author_or_a_type_of_which_little_is_known_is_not(model) -> None:
    assert not is_plain(model)
