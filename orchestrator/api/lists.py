"""Lists over HTTP: the parameters that every list takes, and the headers that tell where in it an answer stands."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlencode

import marshmallow
import orjson
from flask import request
from marshmallow import fields, validate, validates_schema

from orchestrator.api.schemas import RequestSchema
from orchestrator.services.list_queries import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE,
    MAX_PAGE_SIZE,
    After,
    ListQuery,
    NumberedPage,
    read_filter,
    read_range,
    read_sort,
)
from orchestrator.services.lists import EXACT_UP_TO, ListDefinition, Page

T = TypeVar("T")
ListAnswer = tuple[list[T], int, dict[str, str]]

LIST_HEADERS = {
    "X-Pagination": {
        "description": (
            "JSON: page, page_size, first_page, last_page, previous_page, next_page, next_cursor, total, total_pages; "
            f'what is not known is left out, and a total above {EXACT_UP_TO} is "{EXACT_UP_TO}+"'
        ),
        "schema": {"type": "string"},
    },
    "Link": {"description": "The next page, rel=next", "schema": {"type": "string"}},
    "Content-Range": {
        "description": "When `range` was asked for: name start-end/total",
        "schema": {"type": "string"},
    },
}


class ListParameters(RequestSchema):
    """The parameters of every list."""

    page = fields.Integer(
        validate=validate.Range(min=1, max=MAX_PAGE), metadata={"description": "Number of the page, from 1"}
    )
    page_size = fields.Integer(
        load_default=DEFAULT_PAGE_SIZE,
        validate=validate.Range(min=1, max=MAX_PAGE_SIZE),
        metadata={"description": "Items in a page"},
    )
    sort = fields.String(
        validate=validate.Length(max=1000), metadata={"description": "`field`, `-field`, or `field,asc,field,desc`"}
    )
    filter = fields.String(
        validate=validate.Length(max=8000),
        metadata={
            "description": (
                "`field,value,field,value`: all have to fit. `a|b` is either, `!a` is not; numbers and times take "
                "`<`, `<=`, `>` and `>=`"
            )
        },
    )
    range = fields.String(
        validate=validate.Length(max=100),
        metadata={"description": "`start,end`: items from start up to but without end, instead of a page"},
    )
    cursor = fields.String(
        validate=validate.Length(max=4000),
        metadata={"description": "`next_cursor` of the page before, with the same filter and sort"},
    )

    @validates_schema
    def _one_part(self, data: Mapping[str, Any], **_: Any) -> None:
        named = [name for name in ("page", "range", "cursor") if name in data]
        if len(named) > 1:
            raise marshmallow.ValidationError(f"Give one of {' and '.join(named)}.", named[1])


def list_query(parameters: Mapping[str, Any]) -> ListQuery:
    """What the parameters of a `ListParameters` schema ask for.

    Raises:
        InvalidListQueryError: filter, sort or range cannot be read.
    """
    size = parameters["page_size"]
    if "range" in parameters:
        part: Any = read_range(parameters["range"])
    elif "cursor" in parameters:
        part = After(parameters["cursor"], size)
    else:
        part = NumberedPage(parameters.get("page", 1), size)
    return ListQuery(read_filter(parameters.get("filter", "")), read_sort(parameters.get("sort", "")), part)


def list_answer(page: Page[T]) -> ListAnswer[T]:
    """Items, status and headers, as a view of a list returns them."""
    headers = {"X-Pagination": orjson.dumps(_position(page)).decode()}
    if page.next_cursor is not None:
        kept = [(name, value) for name, value in request.args.items() if name not in {"page", "range", "cursor"}]
        headers["Link"] = f'<{request.path}?{urlencode([*kept, ("cursor", page.next_cursor)])}>; rel="next"'
    if "range" in request.args and page.start is not None:
        total = str(page.total) if page.total_is_exact else "*"
        headers["Content-Range"] = f"{page.name} {page.start}-{page.start + len(page.items)}/{total}"
    return list(page.items), 200, headers


def list_document(definition: ListDefinition) -> dict[str, Any]:
    """What the OpenAPI operation of a list tells about its fields and headers."""
    return {
        "description": (
            f"Filter by {', '.join(f'`{name}`' for name in sorted(definition.fields))}. "
            f"Sort by {', '.join(f'`{name}`' for name in definition.sortable)}."
        ),
        "responses": {200: {"headers": LIST_HEADERS}},
    }


def _position(page: Page[T]) -> dict[str, Any]:
    position: dict[str, Any] = {
        "total": page.total if page.total_is_exact else f"{EXACT_UP_TO}+",
        "page_size": page.size,
    }
    last = -(-page.total // page.size) if page.total_is_exact else None
    if last is not None:
        position["total_pages"] = last
    if last:
        position |= {"first_page": 1, "last_page": last}
    if page.start is not None and page.start % page.size == 0:
        number = page.start // page.size + 1
        position["page"] = number
        if number > 1:
            position["previous_page"] = number - 1
        if page.next_cursor is not None:
            position["next_page"] = number + 1
    if page.next_cursor is not None:
        position["next_cursor"] = page.next_cursor
    return position
