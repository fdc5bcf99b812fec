"""The Python of written revisions: calls, laid out as ruff lays them out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

_WIDTH = 88


@dataclass(frozen=True)
class Variable:
    """A name that stands in the file, not a text."""

    name: str


@dataclass(frozen=True)
class Call:
    """A call of one of the functions of `orchestrator.migrations.catalog`; the connection comes first by itself.

    Arguments are None, booleans, numbers, texts, UUIDs, variables, and lists, tuples and dicts of these.
    """

    function: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


def body_of(calls: Sequence[Call]) -> str:
    """The body of a function with these calls, indented, but for its first line."""
    if not calls:
        return "pass  # what was filled in stays"
    lines = ["conn = op.get_bind()", *(_laid_out(call, 4) for call in calls)]
    return "\n    ".join(lines)


def imports_of(calls: Sequence[Call]) -> list[str]:
    """The lines that import what these calls use; an empty one before those of other packages."""
    names = sorted({call.function for call in calls})
    line = f"from orchestrator.migrations.catalog import {', '.join(names)}"
    if len(line) <= _WIDTH:
        return ["", line]
    return ["", "from orchestrator.migrations.catalog import (", *(f"    {name}," for name in names), ")"]


def uses_ids(calls: Sequence[Call]) -> bool:
    """Whether a UUID stands anywhere in these calls."""
    return any(_contains_id([*call.arguments, *call.keywords.values()]) for call in calls)


def quoted(value: str) -> str:
    """A text as Python writes it, in double quotes unless those would need more backslashes."""
    if '"' in value and value.count("'") < value.count('"'):
        return "'" + _escaped(value, "'") + "'"
    return '"' + _escaped(value, '"') + '"'


def _laid_out(value: Any, indent: int, before: int = 0) -> str:
    """`before` is how much stands on the line already, besides the indentation."""
    flat = _flat(value)
    if indent + before + len(flat) <= _WIDTH:
        return flat
    opening, closing, parts = _parts(value)
    if not parts:
        return flat
    inner = indent + 4
    lines = [f"{' ' * inner}{start}{_laid_out(part, inner, len(start) + 1)}," for start, part in parts]
    return "\n".join([opening, *lines, " " * indent + closing])


def _flat(value: Any) -> str:
    match value:
        case Variable(name):
            return name
        case str():
            return quoted(value)
        case UUID():
            return f"UUID({quoted(str(value))})"
        case tuple() if len(value) == 1:
            return f"({_flat(value[0])},)"
        case Call() | Mapping() | list() | tuple():
            opening, closing, parts = _parts(value)
            return opening + ", ".join(start + _flat(part) for start, part in parts) + closing
        case _:
            return repr(value)


def _parts(value: Any) -> tuple[str, str, list[tuple[str, Any]]]:
    match value:
        case Call(function, arguments, keywords):
            given = [("", argument) for argument in (Variable("conn"), *arguments)]
            return f"{function}(", ")", [*given, *((f"{name}=", one) for name, one in keywords.items())]
        case Mapping():
            return "{", "}", [(f"{_flat(key)}: ", one) for key, one in value.items()]
        case list():
            return "[", "]", [("", one) for one in value]
        case tuple():
            return "(", ")", [("", one) for one in value]
        case _:
            return "", "", []


def _escaped(value: str, quote: str) -> str:
    return "".join(_characters(value, quote))


def _characters(value: str, quote: str) -> Iterator[str]:
    for character in value:
        if character in ("\\", quote):
            yield f"\\{character}"
        elif character.isprintable():
            yield character
        else:
            yield character.encode("unicode_escape").decode()


def _contains_id(value: Any) -> bool:
    match value:
        case UUID():
            return True
        case Mapping():
            return any(_contains_id(one) for one in value.values())
        case list() | tuple():
            return any(_contains_id(one) for one in value)
        case _:
            return False
