"""Values of all types, orders and labels come back from the database as they were written."""

from __future__ import annotations

import string
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from ipaddress import IPv4Network, IPv6Network

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.domain.changes import difference
from orchestrator.domain.subscriptions import SubscriptionModel
from orchestrator.errors import OrchestratorError, UnstorableValueError
from tests.integration.domain.models import MODELS, Colour, Everything, EverythingBlock, Level, Range

texts = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\x00"), max_size=20)
integers = st.integers(-(2**63), 2**63 - 1)
prices = st.decimals(allow_nan=False, allow_infinity=False)
moments = st.datetimes(
    datetime(1900, 1, 1),  # noqa: DTZ001
    datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))]),
)
networks = st.builds(lambda number: IPv4Network((number, 24), strict=False), st.integers(0, 2**32 - 1)) | st.builds(
    lambda number: IPv6Network((number, 56), strict=False), st.integers(0, 2**128 - 1)
)
ranges = st.builds(Range, start=integers, end=integers, notes=st.dictionaries(texts, texts, max_size=3))
values = st.fixed_dictionaries(
    {},
    optional={
        "label": texts,
        "text": texts,
        "number": integers,
        "flag": st.booleans(),
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "price": prices,
        "moment": moments,
        "day": st.dates(),
        "identifier": st.uuids(),
        "colour": st.sampled_from(Colour),
        "level": st.sampled_from(Level),
        "network": networks,
        "range": ranges,
        "numbers": st.lists(integers, max_size=8),
        "texts": st.lists(texts | st.sampled_from(string.ascii_letters), max_size=8),
        "ranges": st.lists(ranges, max_size=4),
        "prices": st.lists(prices, max_size=4),
        "either": st.integers(0, 1) | texts | st.booleans(),
    },
)


@pytest.fixture
def everything(unit, products, register) -> Iterator[Everything]:
    register(MODELS)
    with ExitStack() as stack:
        session = stack.enter_context(unit())
        subscription = Everything.from_product_id(products["Everything"], "customer")
        subscription.save()
        yield subscription
        session.rollback()


@given(first=values, more=st.lists(values, max_size=4))
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_come_back_as_they_were_written(everything: Everything, first: dict, more: list[dict]) -> None:
    owner = everything.subscription_id
    written = SubscriptionModel.from_subscription(owner)
    assert isinstance(written, Everything)
    for name in EverythingBlock.model_fields:
        if name not in {"name", "subscription_instance_id", "owner_subscription_id"}:
            default = EverythingBlock.model_fields[name].get_default(call_default_factory=True)
            setattr(written.everything, name, first.get(name, default))
    written.more = [EverythingBlock.new(owner, **one) for one in more]
    written.save()

    loaded = SubscriptionModel.from_subscription(owner)
    assert loaded == written
    assert exactly(loaded) == exactly(written)
    assert difference(loaded._loaded, loaded._snapshot()).is_empty


def exactly(model: Everything) -> list:
    """What `==` does not tell apart: 1 and True, 1.10 and 1.1, the same moment with two offsets."""

    def of(value: object) -> object:
        match value:
            case list():
                return [of(item) for item in value]
            case Decimal():
                return value.as_tuple()
            case float():
                return repr(value + 0.0)  # jsonb has one zero
            case datetime():
                return value.isoformat()
            case _:
                return type(value)

    return [
        {name: of(getattr(block, name)) for name in EverythingBlock.model_fields}
        for block in (model.everything, *model.more)
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [("text", "a\x00b"), ("text", "\ud800"), ("number", 2**70), ("ratio", float("nan")), ("texts", ["ok", "\x00"])],
)
def test_a_value_that_cannot_be_stored_is_named_with_its_place(
    everything: Everything, name: str, value: object
) -> None:
    everything.more = [EverythingBlock.new(everything.subscription_id)]
    setattr(everything.more[0], name, value)
    with pytest.raises(UnstorableValueError, match=rf"more\[0\]\.{name}"):
        everything.save()


def test_a_list_of_values_changed_in_place_is_checked_when_it_is_saved(everything: Everything) -> None:
    everything.everything.numbers.append("no number")  # type: ignore[arg-type]
    with pytest.raises(OrchestratorError, match="everything"):
        everything.save()


def test_a_change_of_type_alone_is_written(everything: Everything) -> None:
    for value in (1, True, "1"):
        everything.everything.either = value
        everything.save()
        loaded = Everything.from_subscription(everything.subscription_id).everything.either
        assert (loaded, type(loaded)) == (value, type(value))


def test_times_without_offset_are_taken_as_utc(unit, everything: Everything) -> None:
    everything.start_date = datetime(2026, 1, 2, 3)  # noqa: DTZ001
    everything.save()
    loaded = Everything.from_subscription(everything.subscription_id)
    assert loaded.start_date == datetime(2026, 1, 2, 3, tzinfo=UTC)
