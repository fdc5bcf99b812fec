"""One implementation of every list: filter, sort, page, cursor and a total that costs the same at any size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar, assert_never

from sqlalchemy import ColumnElement, Row, Select, case, func, literal, select
from sqlalchemy.orm import Session
from sqlalchemy.sql.base import ExecutableOption

from orchestrator.errors import InvalidListQueryError
from orchestrator.services.list_conditions import Field, Kind, condition_of
from orchestrator.services.list_cursors import after, read_cursor, write_cursor
from orchestrator.services.list_queries import After, ListQuery, NumberedPage, Range

__all__ = ["EXACT_UP_TO", "Field", "Kind", "ListDefinition", "ListQuery", "Page", "list_page"]

EXACT_UP_TO = 10_000

T = TypeVar("T")
U = TypeVar("U")


@dataclass(frozen=True)
class ListDefinition:
    """What can be listed, and by which fields.

    Attributes:
        name: what is listed, for messages and the Content-Range.
        statement: selects all of it, without order.
        fields: by the names that clients use, in snake case.
        tie: a unique column that is never null; it decides between rows that are equal in all else.
        newest_first: the order of `tie`, and of the list when no other is asked for.
        counted: selects the same rows without what is joined for show only; None: `statement` joins nothing of that.
        options: how what hangs on the rows is loaded.
    """

    name: str
    statement: Select[*tuple[Any, ...]]
    fields: Mapping[str, Field]
    tie: ColumnElement[Any] | Any
    newest_first: bool = True
    options: tuple[ExecutableOption, ...] = ()
    counted: Select[*tuple[Any, ...]] | None = None

    def where(self, *conditions: ColumnElement[bool]) -> ListDefinition:
        """The same list, narrowed."""
        counted = None if self.counted is None else self.counted.where(*conditions)
        return replace(self, statement=self.statement.where(*conditions), counted=counted)

    @property
    def sortable(self) -> list[str]:
        """The names of the fields that it can be sorted by."""
        return sorted(name for name, field in self.fields.items() if field.sortable)


@dataclass(frozen=True)
class Page(Generic[T]):
    """Part of a list.

    Attributes:
        items: in their order.
        total: how many there are in all; at most `EXACT_UP_TO` when `total_is_exact` is false, then there are more.
        start: the place of the first item in the list, from 0; None after a cursor.
        size: how many items were asked for.
        next_cursor: leads to the items that follow; None when there are no more.
        name: what is listed.
    """

    items: tuple[T, ...]
    total: int
    total_is_exact: bool
    start: int | None
    size: int
    next_cursor: str | None
    name: str

    def map(self, function: Callable[[T], U]) -> Page[U]:
        """The same page with other items."""
        return Page(
            tuple(function(item) for item in self.items),
            self.total,
            self.total_is_exact,
            self.start,
            self.size,
            self.next_cursor,
            self.name,
        )


def list_page(session: Session, definition: ListDefinition, query: ListQuery) -> Page[Row[*tuple[Any, ...]]]:
    """The rows of `definition.statement` that the query asks for.

    Raises:
        InvalidListQueryError: a field does not exist, a value does not fit its field, or the cursor is of another list.
    """
    narrowed = definition.where(*_conditions(session, definition, query))
    order = _order(definition, query)
    columns = [column for column, _ in order]
    fingerprint = f"{definition.name}|{query.conditions!r}|{query.order!r}"
    ordered = narrowed.statement.order_by(
        *(column.desc() if descending else column.asc() for column, descending in order)
    )
    match query.part:
        case NumberedPage(page, page_size):
            start: int | None = (page - 1) * page_size
            size = page_size
            ordered = ordered.offset(start)
        case Range(range_start, range_end):
            start, size = range_start, range_end - range_start
            ordered = ordered.offset(start)
        case After(cursor, page_size):
            start, size = None, page_size
            ordered = ordered.where(after(order, read_cursor(cursor, fingerprint, columns)))
        case _:
            assert_never(query.part)
    places = [column.label(f"place_{index}") for index, column in enumerate(columns)]
    columns_only = _has_only_columns(narrowed)
    # One more than asked for: it tells whether there is a next page.
    one_page = ordered.add_columns(*places).options(*definition.options).limit(size + 1)
    rows = session.execute(_with_count(one_page, narrowed, order, start, size) if columns_only else one_page).all()
    more = len(rows) > size
    counted = rows[0].counted if rows and columns_only else None
    rows = rows[:size]
    cursor_to_next = write_cursor(fingerprint, [getattr(rows[-1], place.name) for place in places]) if more else None
    total, exact = _total(session, narrowed, start, len(rows), more, counted)
    return Page(tuple(rows), total, exact, start, size, cursor_to_next, definition.name)


def _conditions(session: Session, definition: ListDefinition, query: ListQuery) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    for condition in query.conditions:
        field = definition.fields.get(condition.field)
        if field is None:
            raise InvalidListQueryError(_unknown("filter", condition.field, sorted(definition.fields)))
        conditions.append(condition_of(session, condition.field, field, condition.value))
    return conditions


def _order(definition: ListDefinition, query: ListQuery) -> list[tuple[ColumnElement[Any], bool]]:
    order: list[tuple[ColumnElement[Any], bool]] = []
    for one in query.order:
        field = definition.fields.get(one.field)
        if field is None or not field.sortable:
            raise InvalidListQueryError(_unknown("sort", one.field, definition.sortable))
        order.append((field.column, one.descending))
    if not order:
        narrowing = {condition.field for condition in query.conditions}
        following = (
            field.column for name, field in definition.fields.items() if name in narrowing and field.follows_tie
        )
        order.extend((column, definition.newest_first) for column in [*following][:1])
    # In the direction of the last field, so that one index serves both.
    order.append((definition.tie, order[-1][1] if order else definition.newest_first))
    return order


def _unknown(what: str, name: str, allowed: Sequence[str]) -> str:
    return f"{what}: there is no field {name[:100]!r} to {what} by; there are {', '.join(allowed)}"


def _has_only_columns(definition: ListDefinition) -> bool:
    return not any(isinstance(column["expr"], type) for column in definition.statement.column_descriptions)


def _with_count(
    page: Select[*tuple[Any, ...]],
    narrowed: ListDefinition,
    order: Sequence[tuple[Any, bool]],
    start: int | None,
    size: int,
) -> Select[*tuple[Any, ...]]:
    """The rows of the page, each with how many there are in all unless the page tells: one statement for both."""
    found = page.cte("page").prefix_with("MATERIALIZED")
    counted: ColumnElement[Any] = _count(narrowed).scalar_subquery()
    if start is not None:
        counted = case((select(func.count()).select_from(found).scalar_subquery() > size, counted))
    places = [found.c[f"place_{index}"] for index in range(len(order))]
    return select(*found.c, counted.label("counted")).order_by(
        *(place.desc() if descending else place.asc() for place, (_, descending) in zip(places, order, strict=True))
    )


def _count(narrowed: ListDefinition) -> Select[int]:
    """How many there are, up to one more than the limit of exact totals."""
    rows = narrowed.statement if narrowed.counted is None else narrowed.counted
    ones = rows.with_only_columns(literal(1), maintain_column_froms=True)
    return select(func.count()).select_from(ones.order_by(None).limit(EXACT_UP_TO + 1).subquery())


def _total(
    session: Session, narrowed: ListDefinition, start: int | None, found: int, more: bool, counted: int | None
) -> tuple[int, bool]:
    if start is not None and not more and (found or start == 0):
        return (start + found, True) if start + found <= EXACT_UP_TO else (EXACT_UP_TO, False)
    total = session.execute(_count(narrowed)).scalar_one() if counted is None else counted
    return min(total, EXACT_UP_TO), total <= EXACT_UP_TO
