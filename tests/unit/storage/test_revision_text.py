"""The Python of written revisions: every text comes back as it was, and what is long is laid out line by line."""

from __future__ import annotations

import ast
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.storage.revision_text import Call, Variable, body_of, imports_of, quoted

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(st.text())
def test_a_text_is_read_as_it_was_written(text: str) -> None:
    assert ast.literal_eval(quoted(text)) == text


@given(VALUES)
def test_arguments_are_read_as_they_were_written(value: Any) -> None:
    (assignment, call) = ast.parse(f"def upgrade():\n    {body_of([Call('f', (value,), {'x': value})])}\n").body[0].body  # type: ignore[attr-defined]
    assert isinstance(assignment, ast.Assign)
    assert ast.unparse(call.value.args[0]) == "conn"
    assert ast.literal_eval(call.value.args[1]) == value
    assert ast.literal_eval(call.value.keywords[0].value) == value


@pytest.mark.parametrize(
    ("text", "written"),
    [("a", '"a"'), ("it's", '"it\'s"'), ('"a"', "'\"a\"'"), ("\n", r'"\n"'), ("Zoë", '"Zoë"'), ("\\", r'"\\"')],
)
def test_quotes_are_those_that_ruff_would_choose(text: str, written: str) -> None:
    assert quoted(text) == written


def test_short_calls_take_a_line_and_long_ones_several() -> None:
    short = Call("unlink", (Variable("revision"), "a"))
    long = Call("create", (), {"name": "x" * 60, "ids": {"a": ("", UUID(int=1))}, "blocks": ["y" * 50, "z" * 50]})
    assert body_of([short, long]) == (
        "conn = op.get_bind()\n"
        '    unlink(conn, revision, "a")\n'
        "    create(\n"
        "        conn,\n"
        f'        name="{"x" * 60}",\n'
        '        ids={"a": ("", UUID("00000000-0000-0000-0000-000000000001"))},\n'
        "        blocks=[\n"
        f'            "{"y" * 50}",\n'
        f'            "{"z" * 50}",\n'
        "        ],\n"
        "    )"
    )
    assert imports_of([short, long]) == ["", "from orchestrator.migrations.catalog import create, unlink"]
    assert body_of([]).startswith("pass")
