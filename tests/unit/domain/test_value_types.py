"""Names of types, and the kinds of JSON that their values are stored as."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import Enum, IntEnum
from ipaddress import IPv4Network
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Field, create_model

from orchestrator.domain.value_types import ANY_KIND, json_kinds, takes_none, type_name


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    LOW = 1


class Place(BaseModel):
    room: str


@pytest.mark.parametrize(
    ("annotation", "name", "kinds", "none"),
    [
        (int, "int", {"number"}, False),
        (int | None, "int", {"number"}, True),
        (Annotated[int, Field(ge=2)], "int", {"number"}, False),
        (Annotated[int | None, Field(ge=2)], "int", {"number"}, True),
        (float, "float", {"number"}, False),
        (bool, "bool", {"boolean"}, False),
        (str, "str", {"string"}, False),
        (UUID, "UUID", {"string"}, False),
        (datetime, "datetime", {"string"}, False),
        (Decimal, "Decimal", {"string"}, False),
        (IPv4Network, "IPv4Network", {"string"}, False),
        (Colour, "Colour", {"string"}, False),
        (Level, "Level", {"number"}, False),
        (Literal["a", 1], "Literal['a', 1]", {"string", "number"}, False),
        (list[int], "list[int]", {"array"}, False),
        (tuple[int, ...], "tuple[int, ...]", {"array"}, False),
        (dict[str, int], "dict[str, int]", {"object"}, False),
        (Place, "Place", {"object"}, False),
        (int | str, "int | str", {"number", "string"}, False),
        (Any, "Any", ANY_KIND, True),
    ],
)
def test_a_type_has_a_name_and_kinds(annotation: Any, name: str, kinds: set[str], none: bool) -> None:
    info = create_model("Holder", value=(annotation, ...)).model_fields["value"]
    assert type_name(annotation) == name
    assert json_kinds(info) == kinds
    assert takes_none(annotation) is none
