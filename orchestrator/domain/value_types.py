"""Types of resource types: their names, and which kinds of JSON their values are stored as."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from pydantic import ConfigDict, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError
from pydantic.fields import FieldInfo

ANY_KIND: Final = frozenset({"string", "number", "boolean", "array", "object"})


def type_name(annotation: Any) -> str:
    """The name of a type as it would be written, without None, constraints and modules: `int`, `list[UUID]`."""
    bare = _bare(annotation)
    origin, arguments = get_origin(bare), get_args(bare)
    if origin in (Union, types.UnionType):
        return " | ".join(dict.fromkeys(type_name(one) for one in arguments if one is not type(None))) or "None"
    if origin is Literal:
        return f"Literal[{', '.join(repr(one.value if isinstance(one, Enum) else one) for one in arguments)}]"
    if origin is not None:
        inside = ", ".join("..." if one is Ellipsis else type_name(one) for one in arguments)
        return f"{getattr(origin, '__name__', str(origin))}[{inside}]"
    return getattr(bare, "__name__", str(bare))


def takes_none(annotation: Any) -> bool:
    """Whether None is a value of this type."""
    bare = _bare(annotation)
    if get_origin(bare) in (Union, types.UnionType):
        return any(takes_none(one) for one in get_args(bare))
    return bare in (None, type(None), Any)


def adapter_of(info: FieldInfo, config: ConfigDict | None = None) -> TypeAdapter[Any]:
    """What reads the values of a field, with the configuration of its class."""
    annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return TypeAdapter(annotation, config=config)


def json_kinds(info: FieldInfo) -> frozenset[str]:
    """The kinds of JSON, as PostgreSQL calls them, that values of a field can be stored as; all, when unknown."""
    try:
        schema = adapter_of(info).json_schema(mode="serialization")
    except (PydanticUserError, PydanticSchemaGenerationError):
        return ANY_KIND
    return frozenset(_kinds(schema, schema.get("$defs", {}))) or ANY_KIND


_KIND_OF: Final = {"integer": "number"}
_KIND_OF_VALUE: Final = ((bool, "boolean"), (str, "string"), (int | float, "number"), (list, "array"), (dict, "object"))


def _kinds(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Iterator[str]:
    match schema:
        case {"$ref": str(reference)}:
            yield from _kinds(definitions.get(reference.rpartition("/")[2], {}), definitions)
        case {"anyOf": members} | {"oneOf": members} | {"allOf": members}:
            for member in members:
                yield from _kinds(member, definitions)
        case {"type": "null"}:
            pass
        case {"type": str(name)}:
            yield _KIND_OF.get(name, name)
        case {"const": value}:
            yield from _kinds_of_values([value])
        case {"enum": values}:
            yield from _kinds_of_values(values)
        case _:
            yield from ANY_KIND


def _kinds_of_values(values: Any) -> Iterator[str]:
    for value in values:
        yield from (name for kind, name in _KIND_OF_VALUE if isinstance(value, kind))


def _bare(annotation: Any) -> Any:
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation
