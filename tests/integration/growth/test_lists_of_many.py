"""A page of a list costs the same however many processes there are: what is read is a page, or what is counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from bench.history import PRODUCT, fill
from orchestrator.language.catalog import Catalog
from orchestrator.services.audit import list_audit
from orchestrator.services.context import Context
from orchestrator.services.list_queries import After, Condition, ListQuery, NumberedPage, Order, Range
from orchestrator.services.lists import EXACT_UP_TO, Page
from orchestrator.services.process_views import list_processes, process_detail
from orchestrator.services.subscription_views import list_subscriptions
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, build_engine, libpq_url
from orchestrator.testing.dispatcher import ListBell
from orchestrator.testing.servers import DatabaseServer
from tests.integration.growth.reading import reads_of
from tests.integration.statements import StatementsSeen

PROCESSES = 30_000
PAGE = 20
# What a page may read where an index leads to it: its rows, and some that are left out.
FEW = 500

Lister = Callable[[Context, ListQuery], Page[Any]]


@pytest.fixture(scope="module")
def many(database_server: DatabaseServer, template_database: str) -> Iterator[Context]:
    """A history of 30,000 processes, for tests that only read."""
    name = f"test_{uuid4().hex[:16]}"
    url = database_server.create(name, template_database)
    fill(libpq_url(url), PROCESSES)
    database = Database(build_engine(url, application_name="tests"))
    yield Context(database=database, catalog=Catalog(), bell=ListBell(), settings=Settings())
    database.dispose()
    database_server.drop(name)


def where(name: str, value: str, *order: Order) -> ListQuery:
    return ListQuery((Condition(name, value),), order)


# (list, query): each is counted up to 10,000, and its page is found by an index.
FULL = [
    (list_processes, ListQuery()),
    (list_processes, where("status", "completed")),
    (list_processes, where("is_task", "true")),
    (list_processes, where("target", "CREATE")),
    (list_processes, where("workflow_name", "validate")),
    (list_processes, where("product", PRODUCT)),
    (list_processes, ListQuery(order=(Order("started_at"),))),
    (list_processes, ListQuery(order=(Order("started_at", descending=True),))),
    (list_processes, where("is_task", "false", Order("started_at", descending=True))),
    (list_subscriptions, ListQuery()),
    (list_subscriptions, where("product", PRODUCT)),
    (list_subscriptions, ListQuery(order=(Order("start_date", descending=True),))),
    (list_audit, ListQuery()),
    (list_audit, where("action", "start")),
]
# There are few of these or none, wherever they lie.
RARE = [
    (list_processes, where("status", "failed")),
    (list_processes, where("status", "suspended")),
    (list_processes, where("status", "created|running|resumed")),
    (list_processes, where("target", "TERMINATE")),
    (list_processes, where("workflow_name", "of nobody")),
    (list_processes, where("paused", "true")),
    (list_processes, where("assignee", "NOC")),
    (list_processes, where("waiting_for", "time")),
    (list_processes, where("due_at", "<2100-01-01")),
    (list_processes, where("failed_reason", "of nobody")),
    (list_processes, where("note", "of nobody")),
    (list_processes, where("started_at", "<2000-01-01")),
    (list_processes, where("started_at", ">2100-01-01")),
    (list_processes, where("customer_id", "customer 7")),
    (list_processes, where("customer_id", "nobody")),
    (list_processes, where("product", "of nobody")),
    (list_processes, where("product_description", "of nobody")),
    (list_processes, where("tag", "NOBODY|NOTHING")),
    (list_processes, where("subscription_id", "00000000-0000-0000-0000-000000000000")),
    (list_subscriptions, where("product_type", "nobody")),
    (list_subscriptions, where("insync", "false")),
    (list_audit, where("at", "<2000-01-01")),
    (list_audit, where("action", "abort")),
    (list_audit, where("request_id", "nobody")),
    (list_audit, where("object_id", "nobody")),
]


def named(case: Any) -> str | None:
    if isinstance(case, ListQuery):
        return " ".join([*(f"{c.field}={c.value}" for c in case.conditions), *(f"by {o.field}" for o in case.order)])
    return getattr(case, "__name__", None)


@pytest.mark.parametrize(("lister", "query"), FULL, ids=named)
def test_a_page_reads_a_page_and_the_total_is_counted_up_to_a_bound(
    many: Context, lister: Lister, query: ListQuery
) -> None:
    for part in (query, replace(query, part=After(_cursor(many, lister, query), PAGE))):
        reads = reads_of(many.database.engine, lambda part=part: lister(many, part))  # type: ignore[misc]
        counts = [read for read in reads if "count(*)" in read.statement]
        assert all(read.rows <= EXACT_UP_TO + 1 for read in counts), counts
        pages = [read for read in reads if read not in counts]
        assert all(read.rows <= 1_001 for read in pages), pages


@pytest.mark.parametrize(("lister", "query"), RARE, ids=named)
def test_what_is_rare_is_found_without_looking_at_the_rest(many: Context, lister: Lister, query: ListQuery) -> None:
    lister(many, query)
    reads = reads_of(many.database.engine, lambda: lister(many, query))
    assert all(read.rows <= FEW for read in reads), reads


def test_a_deep_page_costs_what_the_first_costs(many: Context) -> None:
    # A moment of the first days of these 30.
    with psycopg.connect(libpq_url(many.database.engine.url.render_as_string(hide_password=False))) as connection:
        row = connection.execute("SELECT min(started_at) + interval '1 day' FROM processes").fetchone()
    assert row is not None
    moment: datetime = row[0].astimezone(UTC)
    query = where("started_at", f"<{moment.isoformat()}")
    page = list_processes(many, query)
    assert [one.started_at for one in page.items] == sorted((one.started_at for one in page.items), reverse=True)
    assert all(one.started_at < moment for one in page.items)
    assert page.total == PROCESSES // 30

    deep = replace(query, part=After(page.next_cursor or "", PAGE))
    for part in (query, deep):
        reads = reads_of(many.database.engine, lambda part=part: list_processes(many, part))  # type: ignore[misc]
        assert all(read.rows <= PROCESSES // 30 for read in reads), reads
    following = list_processes(many, deep)
    assert following.items[0].started_at < page.items[-1].started_at


def test_a_detail_reads_what_it_shows(many: Context) -> None:
    process = list_processes(many, where("status", "failed")).items[-1]
    reads = reads_of(many.database.engine, lambda: process_detail(many, process.process_id))
    assert len(reads) >= 4
    assert all(read.rows <= 2 for read in reads), reads


def test_totals_are_exact_up_to_their_bound(many: Context) -> None:
    assert (list_audit(many, ListQuery()).total, list_audit(many, ListQuery()).total_is_exact) == (EXACT_UP_TO, False)
    subscriptions = list_subscriptions(many, ListQuery())
    assert (subscriptions.total, subscriptions.total_is_exact) == (PROCESSES // 10, True)
    failed = list_processes(many, where("status", "failed"))
    assert (failed.total, failed.total_is_exact) == (PROCESSES // 100, True)


@pytest.mark.parametrize("query", [ListQuery(), where("status", "failed"), where("status", "suspended")], ids=named)
def test_a_page_of_processes_and_its_total_are_one_statement_and_their_subscriptions_another(
    many: Context, query: ListQuery
) -> None:
    with StatementsSeen(many.database) as seen:
        first = list_processes(many, query)
        if first.next_cursor is not None:
            list_processes(many, replace(query, part=After(first.next_cursor, PAGE)))
    pages = 1 if first.next_cursor is None else 2
    assert [one.split()[0] for one in seen.statements] == ["BEGIN", "WITH", "SELECT", "COMMIT"] * pages


def test_the_last_page_and_a_page_behind_it_tell_the_total(many: Context) -> None:
    failed = where("status", "failed")
    last = list_processes(many, replace(failed, part=NumberedPage(PROCESSES // 100 // PAGE, PAGE)))
    assert (len(last.items), last.total, last.next_cursor) == (PAGE, PROCESSES // 100, None)
    behind = list_processes(many, replace(failed, part=NumberedPage(PROCESSES // 100 // PAGE + 1, PAGE)))
    assert (len(behind.items), behind.total) == (0, PROCESSES // 100)
    short = list_processes(many, replace(failed, part=Range(PROCESSES // 100 - 5, PROCESSES // 100 + 5)))
    assert (len(short.items), short.total) == (5, PROCESSES // 100)


def test_cursors_lead_through_a_list_to_its_end_and_each_page_tells_the_total(many: Context) -> None:
    query = where("status", "failed", Order("assignee"), Order("started_at", descending=True))
    seen, part = [], query
    while True:
        page = list_processes(many, part)
        seen.extend(one.process_id for one in page.items)
        assert page.total == PROCESSES // 100
        if page.next_cursor is None:
            break
        part = replace(query, part=After(page.next_cursor, 70))
    assert len(seen) == len(set(seen)) == PROCESSES // 100


def test_of_related_rows_all_alternatives_are_found_and_all_others_by_their_negation(many: Context) -> None:
    def total(value: str) -> int:
        return list_processes(many, where("customer_id", value)).total

    one, other = total("customer 7"), total("customer 8")
    assert one == other == 30
    assert total("customer 7|customer 8") == 60
    assert total("customer 7|nobody") == 30
    # All but 30 of 30,000: more than are counted.
    assert total("!customer 7") == EXACT_UP_TO
    assert list_subscriptions(many, where("product", f"!{PRODUCT}")).total == 0


def _cursor(context: Context, lister: Lister, query: ListQuery) -> str:
    cursor = lister(context, query).next_cursor
    assert cursor is not None
    return cursor
