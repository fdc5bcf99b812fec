"""What the value of a filter means for its field: `a|b` either, `!a` not, `<` `<=` `>` `>=` for numbers and times."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, false, func, not_, or_
from sqlalchemy.orm import Session

from orchestrator.errors import InvalidListQueryError

MAX_ALTERNATIVES = 200
_LARGEST = 2**63 - 1


class Kind(StrEnum):
    """How the values of a field are read and compared."""

    TEXT = "text"  # a part of it, whatever its case
    WORD = "word"  # all of it, as it is written or in lower or upper case
    STATUS = "status"  # a word that is stored in lower case, so that an index on it serves
    UUID = "uuid"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    TIME = "time"


@dataclass(frozen=True)
class Field:
    """A field of a list.

    Attributes:
        column: what is compared and sorted by.
        kind: how its values are read.
        sortable: whether the list can be sorted by it.
        through: for a field of related rows: turns the condition on `column` into one on the listed row. It may look
            first which rows fit, because the planner cannot guess how many listed rows refer to those.
        words: all that its values can be, for one of few words; empty: anything.
        follows_tie: later rows have later times here, so that a list that is narrowed by it and not sorted is in its
            order: one index then gives the rows and their order, however far back they lie.
    """

    column: ColumnElement[Any] | Any
    kind: Kind
    sortable: bool = True
    through: Callable[[Session, ColumnElement[bool]], ColumnElement[bool]] | None = None
    words: Sequence[str] = ()
    follows_tie: bool = False


Comparison = Callable[[Any, Any], ColumnElement[bool]]

_COMPARISONS: Final[dict[str, Comparison]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_TRUE: Final = frozenset({"true", "t", "yes", "y", "1", "on"})
_FALSE: Final = frozenset({"false", "f", "no", "n", "0", "off"})


def condition_of(session: Session, name: str, field: Field, value: str) -> ColumnElement[bool]:
    """The condition that this filter value puts on this field.

    Args:
        session: where related rows are looked up.
        name: of the field.
        field: how it is compared.
        value: as clients write it.

    Raises:
        InvalidListQueryError: the value cannot be one of the field.
    """
    alternatives = value.split("|")
    if len(alternatives) > MAX_ALTERNATIVES:
        raise InvalidListQueryError(f"filter: {name} has more than {MAX_ALTERNATIVES} alternatives")
    asked = [alternative.strip() for alternative in alternatives]

    def listed(*texts: str) -> ColumnElement[bool]:
        matched = or_(*(_alternative(name, field, text) for text in texts))
        return matched if field.through is None else field.through(session, matched)

    # All that are asked for at once: one look at related rows, which an index can serve.
    wanted = [text for text in asked if not text.startswith("!")]
    # A null is not equal to anything, so it is among what is asked for by `!`.
    unwanted = [
        not_(func.coalesce(listed(text.removeprefix("!").strip()), false())) for text in asked if text.startswith("!")
    ]
    return or_(*([listed(*wanted)] if wanted else []), *unwanted)


def _alternative(name: str, field: Field, text: str) -> ColumnElement[bool]:
    if text.lower() in {"null", "none"} and field.kind is not Kind.TEXT:
        matched: ColumnElement[bool] = field.column.is_(None)
        return matched
    if field.words and text.lower() not in {word.lower() for word in field.words}:
        raise InvalidListQueryError(f"filter: there is no {name} {text[:100]!r}; there are {', '.join(field.words)}")
    return _matched(name, field, text)


def _matched(name: str, field: Field, text: str) -> ColumnElement[bool]:
    match field.kind:
        case Kind.TEXT:
            contains: ColumnElement[bool] = field.column.icontains(text, autoescape=True)
            return contains
        case Kind.WORD:
            # Three spellings instead of lower(column): an index on the column serves them.
            spelled: ColumnElement[bool] = field.column.in_({text, text.lower(), text.upper()})
            return spelled
        case Kind.STATUS:
            status: ColumnElement[bool] = field.column == text.lower()
            return status
        case Kind.UUID:
            same: ColumnElement[bool] = field.column == _uuid(name, text)
            return same
        case Kind.BOOLEAN:
            # The bare column, not `IS true`: this is what the predicates of partial indexes say.
            return and_(field.column) if _boolean(name, text) else not_(field.column)
        case Kind.INTEGER:
            compare, rest = _comparison(text)
            return compare(field.column, _integer(name, rest))
        case Kind.TIME:
            return _time_matches(name, field.column, text)


def _time_matches(name: str, column: Any, text: str) -> ColumnElement[bool]:
    compare, rest = _comparison(text)
    try:
        if len(rest) == len("2026-01-31"):
            day = date.fromisoformat(rest)
            start, end = _midnight(day), _midnight(date.fromordinal(day.toordinal() + 1))
            match text.removesuffix(rest).strip():
                case "":
                    return and_(column >= start, column < end)
                case ">" | "<=" as sign:
                    # After a day, or up to it, counts the whole day.
                    return column >= end if sign == ">" else column < end  # type: ignore[no-any-return]
                case _:
                    return compare(column, start)
        moment = datetime.fromisoformat(rest)
    except (ValueError, OverflowError):
        raise InvalidListQueryError(
            f"filter: {rest[:100]!r} is no time for {name}; write 2026-01-31 or 2026-01-31T12:00:00+00:00"
        ) from None
    return compare(column, moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _comparison(text: str) -> tuple[Comparison, str]:
    for sign, compare in _COMPARISONS.items():
        if text.startswith(sign):
            return compare, text.removeprefix(sign).strip()
    return operator.eq, text


def _uuid(name: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise InvalidListQueryError(f"filter: {text[:100]!r} is no UUID, which {name} is") from None


def _integer(name: str, text: str) -> int:
    try:
        number = int(text) if len(text) < 25 else _LARGEST + 1
    except ValueError:
        raise InvalidListQueryError(f"filter: {text[:100]!r} is no whole number, which {name} is") from None
    if abs(number) > _LARGEST:
        raise InvalidListQueryError(f"filter: {text[:30]} is too large for {name}")
    return number


def _boolean(name: str, text: str) -> bool:
    word = text.lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise InvalidListQueryError(f"filter: {text[:100]!r} is neither true nor false, which {name} is")
