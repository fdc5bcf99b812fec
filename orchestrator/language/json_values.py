"""Values of a state as JSON: what an author returns, made storable, or refused with the key that is at fault."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import fields, is_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import BaseModel

from orchestrator.errors import UnstorableValueError

_AS_TEXT = (
    UUID,
    Decimal,
    IPv4Address,
    IPv4Interface,
    IPv4Network,
    IPv6Address,
    IPv6Interface,
    IPv6Network,
    PurePath,
)
_LARGEST_INTEGER = 2**63 - 1
_UNCHANGEABLE: Final = frozenset({str, int, float, bool, type(None)})
DEEPEST: Final = 100


def to_json(value: Any, path: str = "state") -> Any:
    """The value as plain JSON types: dict, list, str, int, float, bool, None.

    Dates and times become ISO 8601, UUIDs, decimals and IP addresses become text, enums their value, models and
    dataclasses objects. Mapping keys must be text.

    Args:
        value: what an author returned.
        path: where the value stands, for the message.

    Raises:
        UnstorableValueError: JSON or PostgreSQL cannot hold it: a set, NaN, a NUL character, a lone surrogate, an
            integer of more than 64 bits, an object of an unknown type; the message names the place and the type.
    """
    return _convert(value, path, 0)


def copy_json(value: Any) -> Any:
    """A copy of a value, none of whose dicts and lists is one of the value's.

    For plain JSON types in a fourth of the time of `deepcopy`; anything else that it meets is left to that.
    """
    kind = type(value)
    if kind in _UNCHANGEABLE:
        return value
    if kind is dict:
        return {key: item if type(item) in _UNCHANGEABLE else copy_json(item) for key, item in value.items()}
    if kind is list:
        return [item if type(item) in _UNCHANGEABLE else copy_json(item) for item in value]
    return deepcopy(value)


def _convert(value: Any, path: str, depth: int) -> Any:
    if depth > DEEPEST:
        raise UnstorableValueError(path, value, f"it is nested deeper than {DEEPEST} levels, or contains itself")
    kind = type(value)
    if kind is str:
        return _text(value, path)
    if value is None or kind is bool:
        return value
    if kind is int:
        return _integer(value, path)
    if kind is float:
        if not math.isfinite(value):
            raise UnstorableValueError(path, value, f"{value} is not a number in JSON")
        return value
    if kind is dict or isinstance(value, Mapping):
        return {_key(key, path): _convert(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if kind is list or isinstance(value, list | tuple):
        return [_convert(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    return _convert_object(value, path, depth)


def _convert_object(value: Any, path: str, depth: int) -> Any:
    match value:
        case Enum():
            return _convert(value.value, path, depth + 1)
        case str():
            return _text(str(value), path)
        case bool() | int():
            return _integer(int(value), path)
        case float():
            return _convert(float(value), path, depth + 1)
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case BaseModel():
            return _convert(value.model_dump(mode="python"), path, depth + 1)
        case _ if isinstance(value, _AS_TEXT):
            return str(value)
        case _ if is_dataclass(value) and not isinstance(value, type):
            pairs = {field.name: getattr(value, field.name) for field in fields(value)}
            return _convert(pairs, path, depth + 1)
        case _:
            raise UnstorableValueError(path, value, "JSON has no such type")


def _key(key: Any, path: str) -> str:
    if isinstance(key, Enum):
        key = key.value
    if isinstance(key, UUID):
        key = str(key)
    if not isinstance(key, str):
        raise UnstorableValueError(path, key, f"the key {key!r} is not text")
    return _text(key, path)


def _text(value: str, path: str) -> str:
    if "\x00" in value:
        raise UnstorableValueError(path, value, "it has a NUL character")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnstorableValueError(path, value, "it has a lone surrogate, which is not valid Unicode") from None
    return value


def _integer(value: int, path: str) -> int:
    if -_LARGEST_INTEGER - 1 <= value <= _LARGEST_INTEGER:
        return value
    raise UnstorableValueError(path, value, "it is an integer of more than 64 bits")
