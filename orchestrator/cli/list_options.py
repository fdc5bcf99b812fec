"""The options that all lists have: filter, sort, page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import click

from orchestrator.cli.output import print_json, print_table
from orchestrator.language.transitions import FAILED
from orchestrator.services.list_queries import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE,
    MAX_PAGE_SIZE,
    Condition,
    ListQuery,
    NumberedPage,
    read_filter,
    read_sort,
)
from orchestrator.services.lists import Page

Function = TypeVar("Function", bound=Callable[..., Any])
Item = TypeVar("Item")

_OPTIONS = (
    click.option("--filter", "filters", metavar="FIELD,VALUE", default="", help="As the API's filter."),
    click.option("--sort", metavar="FIELD[,desc]", default="", help="As the API's sort."),
    click.option("--page", type=click.IntRange(1, MAX_PAGE), default=1, show_default=True),
    click.option("--page-size", type=click.IntRange(1, MAX_PAGE_SIZE), default=DEFAULT_PAGE_SIZE, show_default=True),
)


def list_options(function: Function) -> Function:
    """Adds the options; the function takes `filters`, `sort`, `page` and `page_size`, for `list_query`."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def status_option(statuses: type[StrEnum]) -> Callable[[Function], Function]:
    """Adds `--status`: one of these or several with | between them, or with a ! before it what it is not."""

    def check(ctx: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
        for word in [] if text is None else text.split("|"):
            if word.strip().removeprefix("!").lower() not in list(statuses):
                there_are = ", ".join(statuses)
                raise click.BadParameter(f"there is no status {word!r}; there are {there_are}", ctx, parameter)
        return text

    told = "One of " + ", ".join(statuses) + "; several with | between them."
    if set(FAILED) <= set(statuses):
        told += f" What failed is '{'|'.join(status for status in statuses if status in FAILED)}'."
    return click.option("--status", callback=check, help=told)


def list_query(filters: str, sort: str, page: int, page_size: int, **equal: str | None) -> ListQuery:
    """What the options ask for; each of `equal` that is given is one more condition.

    Raises:
        InvalidListQueryError: filter or sort cannot be read.
    """
    more = tuple(Condition(field, value) for field, value in equal.items() if value is not None)
    return ListQuery(read_filter(filters) + more, read_sort(sort), NumberedPage(page, page_size))


def print_page(
    page: Page[Item], as_json: bool, columns: Sequence[str], row: Callable[[Item], Sequence[object]]
) -> None:
    """A page as a table, with the number of items on standard error, or as JSON."""
    if as_json:
        print_json({"total": page.total, "total_is_exact": page.total_is_exact, "items": page.items})
        return
    print_table(columns, [row(item) for item in page.items])
    click.echo(f"{len(page.items)} of {page.total}{'' if page.total_is_exact else ' and more'}", err=True)
