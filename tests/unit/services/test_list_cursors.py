"""Cursors that somebody has tampered with."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import BigInteger, Boolean, DateTime, Text, Uuid, column

from orchestrator.errors import InvalidListQueryError
from orchestrator.services.list_cursors import read_cursor, write_cursor

COLUMNS = {
    "number": column("number", BigInteger()),
    "flag": column("flag", Boolean()),
    "moment": column("moment", DateTime(timezone=True)),
    "identifier": column("identifier", Uuid()),
    "word": column("word", Text()),
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", 2**63 - 1),
        ("flag", True),
        ("moment", datetime(2026, 1, 31, tzinfo=UTC)),
        ("identifier", uuid4()),
        ("word", "a"),
        ("word", None),
    ],
)
def test_a_place_is_read_back_as_it_was_written(name: str, value: Any) -> None:
    assert read_cursor(write_cursor("list", [value]), "list", [COLUMNS[name]]) == [value]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", True),
        ("number", 1.5),
        ("number", "1"),
        ("number", 2**63),
        ("flag", 1),
        ("moment", "yesterday"),
        ("moment", 5),
        ("identifier", "x"),
        ("identifier", 5),
        ("word", "a\x00"),
        ("word", 5),
        ("word", ["a"]),
    ],
)
def test_a_place_of_another_type_is_refused(name: str, value: Any) -> None:
    with pytest.raises(InvalidListQueryError, match="cursor"):
        read_cursor(write_cursor("list", [value]), "list", [COLUMNS[name]])
