"""Whether an OpenAPI document still serves the clients of another one: `/api` may grow, and nothing in it may break.

A client may send what it sent before, and finds in the answers what it found before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

_METHODS = ("get", "put", "post", "delete", "patch", "head", "options")
_UPPER_LIMITS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_LOWER_LIMITS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")

Json = Mapping[str, Any]
Parameters = dict[tuple[str, str], Json]


class Direction(StrEnum):
    """Who writes what a schema describes."""

    REQUEST = "request"
    RESPONSE = "response"


def breaking_differences(old: Json, new: Json) -> list[str]:
    """What clients of the old document would stumble over in the new one, a sentence each."""
    return list(_Comparison(old, new).all())


class _Comparison:
    def __init__(self, old: Json, new: Json) -> None:
        self._old = old
        self._new = new
        self._under_way: set[tuple[int, int, Direction]] = set()

    def all(self) -> Iterator[str]:
        for path, old_item in self._old["paths"].items():
            new_item = self._new["paths"].get(path)
            if new_item is None:
                yield f"{path} is gone"
                continue
            for method in _METHODS:
                if method not in old_item:
                    continue
                where = f"{method.upper()} {path}"
                if method not in new_item:
                    yield f"{where} is gone"
                    continue
                yield from self._parameters(where, _parameters(old_item, method), _parameters(new_item, method))
                yield from self._body(where, old_item[method], new_item[method])
                yield from self._answers(where, old_item[method], new_item[method])

    def _parameters(self, where: str, old: Parameters, new: Parameters) -> Iterator[str]:
        for (place, name), parameter in old.items():
            what = f"{where}: parameter {name} ({place})"
            found = new.get((place, name))
            if found is None:
                yield f"{what} is gone"
                continue
            if found.get("required") and not parameter.get("required"):
                yield f"{what} is required now"
            yield from self._schema(what, parameter.get("schema", {}), found.get("schema", {}), Direction.REQUEST)
        for key in new.keys() - old.keys():
            if new[key].get("required"):
                yield f"{where}: parameter {key[1]} ({key[0]}) is new and required"

    def _body(self, where: str, old: Json, new: Json) -> Iterator[str]:
        before, after = old.get("requestBody"), new.get("requestBody")
        if before is None:
            if after is not None and after.get("required"):
                yield f"{where}: a body is required now"
            return
        if after is None:
            yield f"{where}: no body is taken any more"
            return
        if after.get("required") and not before.get("required"):
            yield f"{where}: the body is required now"
        yield from self._contents(f"{where}: body", before, after, Direction.REQUEST)

    def _answers(self, where: str, old: Json, new: Json) -> Iterator[str]:
        for status, before in old["responses"].items():
            after = new["responses"].get(status)
            if after is not None:
                yield from self._contents(f"{where}: answer {status}", before, after, Direction.RESPONSE)
                gone = before.get("headers", {}).keys() - after.get("headers", {}).keys()
                yield from (f"{where}: answer {status}: header {name} is gone" for name in sorted(gone))
            elif status.startswith("2"):
                yield f"{where}: answer {status} is gone"

    def _contents(self, where: str, old: Json, new: Json, direction: Direction) -> Iterator[str]:
        for kind, before in old.get("content", {}).items():
            after = new.get("content", {}).get(kind)
            if after is None:
                yield f"{where}: {kind} is gone"
            else:
                yield from self._schema(where, before.get("schema", {}), after.get("schema", {}), direction)

    def _schema(self, where: str, old: Json, new: Json, direction: Direction) -> Iterator[str]:
        old, new = _resolved(self._old, old), _resolved(self._new, new)
        pair = (id(old), id(new), direction)
        if pair in self._under_way:
            return
        self._under_way.add(pair)
        # What a client sends has to be taken; what it is sent has to be what it knows.
        sender, receiver = (old, new) if direction is Direction.REQUEST else (new, old)
        lost = _types(sender) - _types(receiver) if _types(receiver) else set()
        if lost or (_types(receiver) and not _types(sender)):
            yield f"{where}: was {_words(old)}, is {_words(new)}"
        yield from _limits(where, sender, receiver, direction)
        yield from self._members(where, old, new, direction)
        if "items" in old and "items" in new:
            yield from self._schema(f"{where}[]", old["items"], new["items"], direction)
        for word in ("anyOf", "oneOf", "allOf"):
            before, after = old.get(word, []), new.get(word, [])
            if len(before) != len(after):
                yield f"{where}: {word} had {len(before)} alternatives, has {len(after)}"
                continue
            for one, other in zip(before, after, strict=True):
                yield from self._schema(where, one, other, direction)
        self._under_way.discard(pair)

    def _members(self, where: str, old: Json, new: Json, direction: Direction) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        for name, schema in before.items():
            if name in after:
                yield from self._schema(f"{where}.{name}", schema, after[name], direction)
            elif direction is Direction.RESPONSE or new.get("additionalProperties") is False:
                yield f"{where}.{name} is gone"
        was, required = set(old.get("required", [])), set(new.get("required", []))
        if direction is Direction.REQUEST:
            yield from (f"{where}.{name} is required now" for name in sorted(required - was))
            if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
                yield f"{where}: takes no further fields any more"
        else:
            yield from (f"{where}.{name} may be missing now" for name in sorted((was - required) & after.keys()))


def _limits(where: str, sender: Json, receiver: Json, direction: Direction) -> Iterator[str]:
    if direction is Direction.RESPONSE:
        # A further word or a larger number in an answer is growth, not a break.
        return
    if "enum" in receiver:
        gone = [value for value in sender.get("enum", ["any value"]) if value not in receiver["enum"]]
        if gone:
            yield f"{where}: {', '.join(map(str, gone))} is not taken any more"
    for word in (*_UPPER_LIMITS, *_LOWER_LIMITS):
        if word not in receiver:
            continue
        sign = 1 if word in _UPPER_LIMITS else -1
        if word not in sender or sign * sender[word] > sign * receiver[word]:
            yield f"{where}: {word} is {receiver[word]} now"
    for word in ("pattern", "format"):
        if word in receiver and sender.get(word) != receiver[word]:
            yield f"{where}: {word} is {receiver[word]} now"


def _parameters(item: Json, method: str) -> Parameters:
    found = [*item.get("parameters", []), *item[method].get("parameters", [])]
    return {(parameter["in"], parameter["name"]): parameter for parameter in found}


def _resolved(document: Json, schema: Json) -> Json:
    while "$ref" in schema:
        found: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        schema = found
    return schema


def _types(schema: Json) -> set[str]:
    found = schema.get("type", [])
    names = {found} if isinstance(found, str) else set(found)
    return names | {"integer"} if "number" in names else names


def _words(schema: Json) -> str:
    return " or ".join(sorted(_types(schema))) or "anything"
