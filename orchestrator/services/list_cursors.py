"""Cursors: the place of the last row of a page in the order of its list, as text that a client hands back."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import BigInteger, Boolean, ColumnElement, DateTime, Integer, Uuid, and_, false, literal, or_, true

from orchestrator.errors import InvalidListQueryError

Ordering = Sequence[tuple[ColumnElement[Any], bool]]

_WRONG = "cursor: this is not a cursor of this list with this filter and sort; start again without it"


def write_cursor(fingerprint: str, places: Sequence[Any]) -> str:
    """The cursor behind a row that has these values in the columns of the order."""
    text = orjson.dumps([_digest(fingerprint), *places], default=str)
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_cursor(cursor: str, fingerprint: str, columns: Sequence[ColumnElement[Any]]) -> list[Any]:
    """The values in a cursor, in the types of the columns.

    Raises:
        InvalidListQueryError: it was not made by `write_cursor` for this list and order.
    """
    try:
        values = orjson.loads(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
        if not isinstance(values, list) or values[:1] != [_digest(fingerprint)] or len(values) != len(columns) + 1:
            raise InvalidListQueryError(_WRONG)
        return [_typed(column, value) for column, value in zip(columns, values[1:], strict=True)]
    except (binascii.Error, ValueError, TypeError, AttributeError):
        raise InvalidListQueryError(_WRONG) from None


def after(order: Ordering, places: Sequence[Any]) -> ColumnElement[bool]:
    """True for rows behind these places. As PostgreSQL sorts: nulls are last, or first when descending."""
    beyond: ColumnElement[bool] = false()
    for (column, descending), place in reversed(list(zip(order, places, strict=True))):
        equal = column.is_(None) if place is None else column == literal(place, column.type)
        beyond = or_(_strictly_behind(column, descending, place), and_(equal, beyond))
    (first, descending), place = order[0], places[0]
    # Follows from the rest, but is plain enough for an index to start at.
    return and_(_not_before(first, descending, place), beyond)


def _strictly_behind(column: ColumnElement[Any], descending: bool, place: Any) -> ColumnElement[bool]:
    if place is None:
        return column.is_not(None) if descending else false()
    bound = literal(place, column.type)
    if descending:
        return column < bound
    return or_(column > bound, column.is_(None)) if _nullable(column) else column > bound


def _not_before(column: ColumnElement[Any], descending: bool, place: Any) -> ColumnElement[bool]:
    if place is None:
        return true() if descending else column.is_(None)
    bound = literal(place, column.type)
    if descending:
        return column <= bound
    return or_(column >= bound, column.is_(None)) if _nullable(column) else column >= bound


def _nullable(column: ColumnElement[Any]) -> bool:
    return bool(getattr(column, "nullable", True))


def _typed(column: ColumnElement[Any], value: Any) -> Any:
    if value is None:
        return None
    match column.type:
        case DateTime():
            return datetime.fromisoformat(value)
        case Uuid():
            return UUID(value)
        case Boolean() if not isinstance(value, bool):
            raise TypeError
        case Integer() | BigInteger() if type(value) is not int or abs(value) >= 2**63:
            raise TypeError
        case Boolean() | Integer() | BigInteger():
            return value
        case _:
            if not isinstance(value, str) or "\x00" in value:
                raise ValueError
            return value


def _digest(fingerprint: str) -> str:
    return hashlib.blake2b(fingerprint.encode(), digest_size=6).hexdigest()
