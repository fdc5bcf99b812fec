"""A page of a form, as a client is shown it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

_LONGEST = 80


@dataclass(frozen=True)
class BenchPage:
    """One page that a form asks for.

    Attributes:
        number: its place in the form, from 1; the choice of the product or the subscription is page 1.
        schema: its JSON schema, as a REST client gets it.
    """

    number: int
    schema: Mapping[str, Any]
    meta: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def title(self) -> str:
        """What is written above it."""
        return str(self.schema.get("title", ""))

    @property
    def fields(self) -> tuple[str, ...]:
        """The names of its fields, in their order."""
        return tuple(self.schema.get("properties", {}))

    @property
    def required(self) -> tuple[str, ...]:
        """The names of the fields that have to be filled in."""
        return tuple(self.schema.get("required", ()))

    @property
    def defaults(self) -> dict[str, Any]:
        """What is suggested, by the name of the field."""
        properties = self.schema.get("properties", {})
        return {name: asked["default"] for name, asked in properties.items() if "default" in asked}

    @property
    def has_next(self) -> bool | None:
        """Whether another page follows, as far as the form tells: the last one is a SubmitFormPage."""
        return None if self.meta is None else self.meta.get("hasNext")

    def choices(self, name: str) -> list[Any]:
        """What a field offers to choose from; empty where anything can be entered.

        Raises:
            KeyError: the page has no such field.
        """
        return _choices(self.schema["properties"][name], self.schema.get("$defs", {}))

    def __str__(self) -> str:
        lines = [f"{self.number} {self.title!r}"]
        for name, asked in self.schema.get("properties", {}).items():
            lines.append(f"  {name} ({self._told(name, asked)})")
        return "\n".join(lines)

    def _told(self, name: str, asked: Mapping[str, Any]) -> str:
        parts = [str(asked.get("format") or asked.get("type") or "value")]
        if name in self.required:
            parts.append("required")
        if "default" in asked:
            parts.append(f"default {shown_value(asked['default'])}")
        if choices := self.choices(name):
            parts.append(f"one of {', '.join(map(str, choices[:8]))}{', ...' if len(choices) > 8 else ''}")
        return ", ".join(parts)


def shown_value(value: Any) -> str:
    """A value as JSON, cut short."""
    text = orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _choices(asked: Mapping[str, Any], definitions: Mapping[str, Any]) -> list[Any]:
    if "enum" in asked:
        return list(asked["enum"])
    if "const" in asked:
        return [asked["const"]]
    if isinstance(asked.get("options"), Mapping):
        return list(asked["options"])
    if "$ref" in asked:
        return _choices(definitions.get(str(asked["$ref"]).rpartition("/")[2], {}), definitions)
    if isinstance(asked.get("items"), Mapping):
        return _choices(asked["items"], definitions)
    found: list[Any] = []
    for one in [*asked.get("anyOf", ()), *asked.get("allOf", ()), *asked.get("oneOf", ())]:
        found += [choice for choice in _choices(one, definitions) if choice not in found]
    return found
