"""What a client asks of a list: filters, order and which part of it. Values only; what answers is in `lists`."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, field

from orchestrator.errors import InvalidListQueryError

DEFAULT_PAGE_SIZE = 20
MAX_PAGE_SIZE = 500
MAX_PAGE = 1_000_000
MAX_CONDITIONS = 50


@dataclass(frozen=True)
class Order:
    """Sort by this field."""

    field: str
    descending: bool = False


@dataclass(frozen=True)
class Condition:
    """The field fits one of the alternatives of `value`, which `|` separates; `!`, `<`, `<=`, `>` and `>=` lead one."""

    field: str
    value: str


@dataclass(frozen=True)
class NumberedPage:
    """The page of this number; the first is 1."""

    page: int = 1
    page_size: int = DEFAULT_PAGE_SIZE


@dataclass(frozen=True)
class Range:
    """The items from `start`, counted from 0, up to but without `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class After:
    """The page that follows the one which gave this cursor. It costs the same however far into the list it is."""

    cursor: str
    page_size: int = DEFAULT_PAGE_SIZE


Part = NumberedPage | Range | After


@dataclass(frozen=True)
class ListQuery:
    """Which items of a list, in which order."""

    conditions: tuple[Condition, ...] = ()
    order: tuple[Order, ...] = ()
    part: Part = field(default_factory=NumberedPage)


def read_filter(text: str) -> tuple[Condition, ...]:
    """Read `field,value,field,value`; a value with a comma in it stands in double quotes.

    Raises:
        InvalidListQueryError: a field has no value.
    """
    parts = _separated(text)
    if len(parts) % 2:
        raise InvalidListQueryError(
            f"filter is field,value[,field,value]...: {len(parts)} parts leave {parts[-1]!r} without a value "
            '(a value with a comma stands in quotes: field,"a,b")'
        )
    if len(parts) > 2 * MAX_CONDITIONS:
        raise InvalidListQueryError(f"filter has more than {MAX_CONDITIONS} conditions")
    return tuple(
        Condition(snake_case(name.strip()), value) for name, value in zip(parts[::2], parts[1::2], strict=True)
    )


def read_sort(text: str) -> tuple[Order, ...]:
    """Read `field`, `-field`, or `field,asc,field,desc`.

    Raises:
        InvalidListQueryError: a direction has no field.
    """
    orders: list[Order] = []
    for part in (found.strip() for found in _separated(text)):
        direction = part.lower()
        if direction in {"asc", "desc"} and not orders:
            raise InvalidListQueryError(f"sort starts with {part!r}: a field comes first, like start_date,desc")
        if direction in {"asc", "desc"}:
            orders[-1] = Order(orders[-1].field, direction == "desc")
        elif part.strip("-"):
            orders.append(Order(snake_case(part.removeprefix("-")), part.startswith("-")))
    return tuple(orders)


def read_range(text: str) -> Range:
    """Read `start,end`.

    Raises:
        InvalidListQueryError: these are not two numbers in order, or too many items lie between them.
    """
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*,\s*([0-9]{1,9})\s*", text, re.ASCII)
    if found is None:
        raise InvalidListQueryError("range is start,end: two numbers from 0 on, like 0,20")
    start, end = int(found[1]), int(found[2])
    if end <= start:
        raise InvalidListQueryError(f"range ends at {end}, which is not after its start {start}")
    if end - start > MAX_PAGE_SIZE:
        raise InvalidListQueryError(f"range asks for {end - start} items; at most {MAX_PAGE_SIZE} are given at once")
    return Range(start, end)


def snake_case(name: str) -> str:
    """`startDate` as `start_date`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def _separated(text: str) -> list[str]:
    try:
        return next(iter(csv.reader([text], strict=True)), [])
    except csv.Error as error:
        raise InvalidListQueryError(
            f"{text[:100]!r} cannot be read as values with commas between them: {error}"
        ) from None
