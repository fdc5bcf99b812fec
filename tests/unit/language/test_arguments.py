"""Arguments from the state: by name and annotation, in a module whose annotations are all text."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum, IntEnum, StrEnum
from ipaddress import IPv4Address, IPv6Network
from typing import TYPE_CHECKING, Annotated, Any, Literal, NewType, Optional, TypedDict
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel, Field

from orchestrator.errors import ArgumentError, AuthoringError, MissingParameterError, UnresolvedAnnotationError
from orchestrator.language.arguments import build_arguments
from orchestrator.language.parameters import plan_if_resolvable, plan_of
from orchestrator.language.vocabulary import State, UUIDstr

if TYPE_CHECKING:
    from orchestrator.somewhere import NotThere

AN_ID = UUID("019a0000-0000-7000-8000-000000000001")
OTHER_ID = UUID("019a0000-0000-7000-8000-000000000002")


class Speed(Enum):
    SLOW = 1
    FAST = 10


class Colour(StrEnum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Port(BaseModel):
    name: str
    speed: Speed = Speed.SLOW


@dataclass
class Cable:
    length: Decimal


class Site(TypedDict):
    opened: str


class Model:
    def __init__(self, identifier: UUID) -> None:
        self.subscription_id = identifier

    @classmethod
    def from_subscription(cls, subscription_id: UUID) -> Model:
        return cls(subscription_id)


class OtherModel(Model):
    pass


NodeName = NewType("NodeName", str)


class Loader:
    """Answers with what it was asked for."""

    def load(self, annotation: Any, identifier: UUID) -> object:
        return (annotation, identifier)


def arguments(function: Any, state: State, **extras: object) -> dict[str, Any]:
    return build_arguments(function, state, Loader(), extras, "Step 'X' (key x)")


def taking(annotation: Any, *default: Any) -> Any:
    """A function with one parameter of this annotation."""

    def function(it):
        return it

    function.__annotations__ = {"it": annotation}
    function.__defaults__ = default or None
    return function


@pytest.mark.parametrize(
    ("annotation", "stored", "expected"),
    [
        (str, "2026-01-01T00:00:00+00:00", "2026-01-01T00:00:00+00:00"),
        (UUIDstr, str(AN_ID), str(AN_ID)),
        (str, AN_ID, str(AN_ID)),
        (str, Colour.RED, "red"),
        (NodeName, "ams", "ams"),
        (int, 5, 5),
        (float, 5, 5.0),
        (bool, True, True),
        (UUID, str(AN_ID), AN_ID),
        (UUID, AN_ID, AN_ID),
        (datetime, "2026-01-01T12:00:00+02:00", datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))),
        (date, "2026-01-31", date(2026, 1, 31)),
        (timedelta, 90.0, timedelta(seconds=90)),
        (Decimal, "1.10", Decimal("1.10")),
        (Speed, 10, Speed.FAST),
        (Colour, "red", Colour.RED),
        (Level, 1, Level.LOW),
        (Literal["a", "b"], "a", "a"),
        (IPv4Address, "10.0.0.1", IPv4Address("10.0.0.1")),
        (IPv6Network, "2001:db8::/32", IPv6Network("2001:db8::/32")),
        (Port, {"name": "xe-0", "speed": 10}, Port(name="xe-0", speed=Speed.FAST)),
        (Cable, {"length": "2.5"}, Cable(Decimal("2.5"))),
        (Site, {"opened": "2026"}, {"opened": "2026"}),
        (list[Port], [{"name": "a"}], [Port(name="a")]),
        (list[UUID], [str(AN_ID)], [AN_ID]),
        (dict[str, UUID], {"a": str(AN_ID)}, {"a": AN_ID}),
        (dict[int, str], {"5": "a"}, {5: "a"}),
        (set[int], [1, 2, 2], {1, 2}),
        (tuple[int, str], [1, "a"], (1, "a")),
        (UUID | None, None, None),
        (UUID | None, str(AN_ID), AN_ID),
        (Optional[Speed], 1, Speed.SLOW),  # noqa: UP045
        (str | None, "2026-01-01", "2026-01-01"),
        (Port | UUID, str(AN_ID), AN_ID),
        (Annotated[int, Field(ge=3)], 3, 3),
        (dict, {"a": {"b": 1}}, {"a": {"b": 1}}),
        (State, {"a": 1}, {"a": 1}),
        (list, [1], [1]),
        (Any, "x", "x"),
        (object, 1, 1),
    ],
)
def test_a_value_becomes_what_the_annotation_says(annotation, stored, expected):
    got = arguments(taking(annotation), {"it": stored})["it"]
    assert got == expected
    assert type(got) is type(expected)


@pytest.mark.parametrize(
    ("annotation", "stored", "words"),
    [
        (str, 5, "should be str: the state holds a value of type int"),
        (str, None, "should be str: the state holds a value of type NoneType"),
        (int, "five", "should be int: Input should be a valid integer"),
        (UUID, "nothing", "should be .*UUID: Input should be a valid UUID"),
        (Speed, 3, "should be .*Speed: Input should be 1 or 10"),
        (datetime, "yesterday", "should be .*datetime"),
        (Port, {"speed": 10}, "name: Field required"),
        (list[int], ["a", "b", "c", "d", "e"], "0: .*; 1: .*; 2: .*; and 2 more"),
        (Annotated[int, Field(ge=3)], 1, "greater than or equal to 3"),
        (Model, None, "id of a subscription is needed, the state holds a value of type NoneType"),
        (Model, 5, "id of a subscription is needed, the state holds a value of type int"),
        (Model, "secret", "a text that is no UUID"),
        (Model, {"name": "secret"}, "an object without 'subscription_id'"),
        (list[Model], "secret", "the state holds a value of type str, not a list"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_naming_parameter_and_type(annotation, stored, words):
    with pytest.raises(ArgumentError, match=words) as caught:
        arguments(taking(annotation), {"it": stored, "password": "hunter2"})
    assert str(caught.value).startswith("Step 'X' (key x): parameter 'it' should be ")
    assert "hunter2" not in str(caught.value)
    assert "secret" not in str(caught.value)


def test_what_is_missing_is_named_with_the_keys_that_are_there():
    def function(node_name: str) -> None: ...

    with pytest.raises(MissingParameterError) as caught:
        arguments(function, {"b": "hunter2", "a": 1})
    assert str(caught.value) == "Step 'X' (key x): parameter 'node_name' is not in the state; it has: a, b"
    with pytest.raises(MissingParameterError, match="it is empty"):
        arguments(function, {})
    with pytest.raises(MissingParameterError, match=r"k039 and 10 more$"):
        arguments(function, {f"k{number:03}": 1 for number in range(50)})


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [(Model | None, None), (list[Model], []), (list[Model] | None, None)],
)
def test_models_that_need_not_be_there_may_be_missing(annotation, expected):
    assert arguments(taking(annotation), {}) == {"it": expected}


@pytest.mark.parametrize("annotation", [UUID | None, str | None, Model, dict, Any])
def test_anything_else_without_a_default_must_be_there(annotation):
    with pytest.raises(MissingParameterError, match="'it' is not in the state"):
        arguments(taking(annotation), {})


def test_a_default_stands_in_and_is_not_converted():
    assert arguments(taking(UUID, "none yet"), {}) == {"it": "none yet"}
    assert arguments(taking(UUID, "none yet"), {"it": str(AN_ID)}) == {"it": AN_ID}
    assert arguments(taking(Model, None), {}) == {"it": None}
    assert arguments(taking(int, None), {"it": None}) == {"it": None}


@pytest.mark.parametrize(
    "stored", [AN_ID, str(AN_ID), {"subscription_id": str(AN_ID), "more": 1}, {"subscription_id": AN_ID}, Model(AN_ID)]
)
@pytest.mark.parametrize(
    ("annotation", "asked"),
    [
        (Model, Model),
        (Model | None, Model),
        (Optional[Model], Model),  # noqa: UP045
        (Annotated[Model, "note"], Model),
        (Model | OtherModel, Model | OtherModel),
        (Model | OtherModel | None, Model | OtherModel),
    ],
)
def test_a_model_is_loaded_by_the_id_that_the_state_holds(annotation, asked, stored):
    assert arguments(taking(annotation), {"it": stored}) == {"it": (asked, AN_ID)}


def test_models_are_loaded_one_by_one_for_a_list():
    got = arguments(taking(list[Model | OtherModel]), {"it": [str(AN_ID), {"subscription_id": str(OTHER_ID)}]})
    assert got == {"it": [(Model | OtherModel, AN_ID), (Model | OtherModel, OTHER_ID)]}
    assert arguments(taking(Model | None), {"it": None}) == {"it": None}
    assert arguments(taking(list[Model] | None), {"it": None}) == {"it": None}


@pytest.mark.parametrize("annotation", [Model | str, dict[str, Model], list[Model | UUID], list[list[Model]]])
def test_models_in_other_places_are_refused(annotation):
    with pytest.raises(AuthoringError, match=r"parameter 'it' .* Model, Model \| None, A \| B and list\[Model\] only"):
        plan_of(taking(annotation))


def test_the_state_and_what_is_taken_from_it_are_copies():
    def function(state, found: dict, listed: list[Any], anything) -> None: ...

    state = {"found": {"a": [1]}, "listed": [{"a": 1}], "anything": [1]}
    got = arguments(function, state)
    assert got["state"] == state
    got["state"]["found"]["a"].append(2)
    got["state"]["new"] = 1
    got["found"]["a"].append(3)
    got["listed"][0]["a"] = 2  # pydantic itself hands out what stands under Any
    got["anything"].append(2)
    assert state == {"found": {"a": [1]}, "listed": [{"a": 1}], "anything": [1]}


def test_a_parameter_named_state_is_the_state_whatever_its_annotation():
    def function(other: int, state: NotThere) -> None: ...

    assert arguments(function, {"other": 1, "state": "x"}) == {"other": 1, "state": {"other": 1, "state": "x"}}


def test_extras_stand_in_for_what_the_state_lacks():
    def function(process_id: UUID, idempotency_key: str) -> None: ...

    extras = {"process_id": AN_ID, "idempotency_key": "key"}
    assert arguments(function, {}, **extras) == {"process_id": AN_ID, "idempotency_key": "key"}
    assert arguments(function, {"process_id": str(OTHER_ID)}, **extras)["process_id"] == OTHER_ID
    assert arguments(taking(str), {}, it=AN_ID) == {"it": str(AN_ID)}


def test_keyword_only_parameters_and_no_parameters_are_fine():
    def nothing() -> None: ...

    def keyword(*, speed: Speed = Speed.SLOW, port: Port) -> None: ...

    assert arguments(nothing, {"a": 1}) == {}
    assert arguments(keyword, {"port": {"name": "a"}}) == {"speed": Speed.SLOW, "port": Port(name="a")}


def test_annotations_are_found_through_wraps_partial_methods_and_callable_objects():
    def function(it: Speed, more: int = 1) -> None: ...

    @functools.wraps(function)
    def wrapped(*args, **kwargs): ...

    class Tool:
        def method(self, it: Speed) -> None: ...

        def __call__(self, it: Speed) -> None: ...

    for one in (function, wrapped, functools.partial(function, more=2), Tool().method, Tool()):
        assert arguments(one, {"it": 10})["it"] is Speed.FAST


def test_an_annotation_of_the_return_need_not_be_there():
    def function(it: UUID) -> NotThere: ...

    assert arguments(function, {"it": str(AN_ID)}) == {"it": AN_ID}


def test_an_annotation_that_is_not_there_is_named():
    def function(it: NotThere) -> None: ...

    assert plan_if_resolvable(function) is None
    with pytest.raises(
        UnresolvedAnnotationError, match=r"'NotThere' of the parameter 'it' of .*function.*TYPE_CHECKING"
    ):
        arguments(function, {"it": 1})


def test_an_annotation_that_comes_later_is_found_then():
    def function(it: Later) -> None: ...  # noqa: F821

    assert plan_if_resolvable(function) is None
    globals()["Later"] = Speed
    try:
        assert arguments(function, {"it": 10}) == {"it": Speed.FAST}
    finally:
        del globals()["Later"]


def test_an_annotation_that_no_value_can_be_made_for_is_refused():
    class Connection:
        pass

    with pytest.raises(AuthoringError, match=r"parameter 'it' .* cannot be used"):
        plan_of(taking(Connection))


def test_a_plan_is_made_once():
    def function(it: Port) -> None: ...

    assert plan_of(function) is plan_of(function)
    assert plan_of(function)[0].reader.adapter is plan_of(taking(Port))[0].reader.adapter


def test_a_random_id_stays_the_same_in_both_forms():
    identifier = uuid4()
    state = {"it": str(identifier)}
    assert arguments(taking(UUID), state)["it"] == identifier
    assert arguments(taking(str), state)["it"] == str(identifier)
