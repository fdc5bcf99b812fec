"""Copies of states, which authors' code may change as it likes."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from orchestrator.language.json_values import copy_json
from orchestrator.language.vocabulary import REMOVED


def containers(value: Any) -> list[int]:
    match value:
        case dict():
            return [id(value), *(found for item in value.values() for found in containers(item))]
        case list():
            return [id(value), *(found for item in value for found in containers(item))]
        case _:
            return []


@pytest.mark.parametrize(
    "value",
    [
        {},
        [],
        {"a": {"b": [1, {"c": None}], "d": []}, "e": [[[]], {}]},
        [True, 1, 1.5, "text", None, {"a": [0]}],
        {"day": date(2026, 1, 31), "removed": REMOVED, "pair": ({"a": 1}, 2)},
    ],
)
def test_a_copy_is_equal_and_shares_no_dict_and_no_list(value: Any) -> None:
    copy = copy_json(value)
    assert copy == value
    assert not set(containers(copy)) & set(containers(value))


def test_what_is_no_json_is_copied_too() -> None:
    value = {"tags": {"a"}, "pair": ([1], 2)}
    copy = copy_json(value)
    copy["tags"].add("b")
    copy["pair"][0].append(3)
    assert value == {"tags": {"a"}, "pair": ([1], 2)}
    assert copy_json(REMOVED) is REMOVED
