"""Lists: pages, sort, filter, cursor and totals, seen through the list of subscriptions."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from orchestrator.storage.tables import SubscriptionTable
from tests.integration.api.rows import DAY_ONE, Rows

URL = "/api/subscriptions/"


def descriptions(client: FlaskClient, **query: Any) -> list[str]:
    response = client.get(URL, query_string=query)
    assert response.status_code == 200, response.text
    return [item["description"] for item in response.json]


def position(client: FlaskClient, **query: Any) -> dict[str, Any]:
    response = client.get(URL, query_string=query)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = json.loads(response.headers["X-Pagination"])
    return found


def refusal(client: FlaskClient, status: int, **query: Any) -> str:
    response = client.get(URL, query_string=query)
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    detail: str = response.json["detail"]
    return detail


def test_a_list_is_paged_even_when_nobody_asks(client: FlaskClient, rows: Rows) -> None:
    rows.subscriptions(rows.product(), 25)
    assert descriptions(client) == [f"Port {number}" for number in range(24, 4, -1)]
    found = position(client)
    assert found.pop("next_cursor")
    assert found == {
        "total": 25,
        "total_pages": 2,
        "first_page": 1,
        "last_page": 2,
        "page": 1,
        "next_page": 2,
        "page_size": 20,
    }


def test_the_last_page_has_no_next_one(client: FlaskClient, rows: Rows) -> None:
    rows.subscriptions(rows.product(), 25)
    assert descriptions(client, page=3, page_size=10) == [f"Port {number}" for number in range(4, -1, -1)]
    found = position(client, page=3, page_size=10)
    assert (found["total"], found["page"], found["previous_page"]) == (25, 3, 2)
    assert "next_page" not in found
    assert "next_cursor" not in found
    assert "Link" not in client.get(URL, query_string={"page": 3, "page_size": 10}).headers


def test_a_page_behind_the_end_is_empty_and_knows_the_total(client: FlaskClient, rows: Rows) -> None:
    rows.subscriptions(rows.product(), 3)
    assert descriptions(client, page=7) == []
    assert position(client, page=7)["total"] == 3


@pytest.mark.parametrize(
    "sort", ["start_date", "-start_date", "description", "insync,desc,end_date,asc", "tag,-version"]
)
def test_cursors_lead_through_the_whole_list_once(client: FlaskClient, rows: Rows, sort: str) -> None:
    product = rows.product()
    rows.subscriptions(product, 4)
    rows.subscriptions(product, 4, insync=False, end_date=DAY_ONE)
    rows.subscriptions(product, 3, start_date=None)
    expected = [item["subscription_id"] for item in client.get(URL, query_string={"sort": sort}).json]
    assert len(expected) == 11
    seen: list[str] = []
    url: str | None = f"{URL}?page_size=2&sort={sort}"
    while url:
        response = client.get(url)
        seen += [item["subscription_id"] for item in response.json]
        link = response.headers.get("Link")
        url = link[1 : link.index(">")] if link else None
    assert seen == expected


def test_a_cursor_stays_at_its_place_when_rows_are_added(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    rows.subscriptions(product, 4)
    cursor = position(client, page_size=2)["next_cursor"]
    rows.subscriptions(product, 5)
    assert descriptions(client, page_size=2, cursor=cursor) == ["Port 1", "Port 0"]


def test_a_cursor_of_another_order_is_refused(client: FlaskClient, rows: Rows) -> None:
    rows.subscriptions(rows.product(), 4)
    cursor = position(client, page_size=2)["next_cursor"]
    assert "cursor" in refusal(client, 400, cursor=cursor, sort="description")
    assert "cursor" in refusal(client, 400, cursor=cursor, filter="status,active")
    assert "cursor" in refusal(client, 400, cursor="nonsense")
    assert "cursor" in refusal(client, 400, cursor="AAAA")
    assert "cursor" in refusal(client, 400, cursor="Ä" * 9)


def test_a_total_is_exact_to_ten_thousand_and_more_beyond(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    many = text(
        "INSERT INTO subscriptions (subscription_id, product_id, customer_id, description, status) "
        "SELECT gen_random_uuid(), :product, 'acme', 'x', 'active' FROM generate_series(1, :count)"
    )
    with rows.database.transaction("tests") as session:
        session.execute(many, {"product": product, "count": 10_000})
    found = position(client)
    assert (found["total"], found["total_pages"], found["last_page"]) == (10_000, 500, 500)
    with rows.database.transaction("tests") as session:
        session.execute(many, {"product": product, "count": 1})
    found = position(client)
    assert found["total"] == "10000+"
    assert "total_pages" not in found
    assert "last_page" not in found
    assert found["next_page"] == 2
    assert position(client, page=501)["total"] == "10000+"


def test_the_range_of_other_clients_is_understood(client: FlaskClient, rows: Rows) -> None:
    rows.subscriptions(rows.product(), 5)
    response = client.get(URL, query_string={"range": "1,3", "sort": "description,asc"})
    assert [item["description"] for item in response.json] == ["Port 1", "Port 2"]
    assert response.headers["Content-Range"] == "subscriptions 1-3/5"
    assert "start,end" in refusal(client, 400, range="3")
    assert "after its start" in refusal(client, 400, range="3,3")
    assert "at most 500" in refusal(client, 400, range="0,501")
    assert "range" in refusal(client, 422, range="0,2", page=2)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("status,active", {"core-link", "Leaf"}),
        ("status,active|terminated", {"core-link", "Leaf", "gone, 100%"}),
        ("status,!active", {"gone, 100%", "core_link"}),
        ("description,core-link", {"core-link"}),
        ("description,core_", {"core_link"}),
        ("description,LEA", {"Leaf"}),
        ('description,"gone, 100%"', {"gone, 100%"}),
        ("insync,false", {"core_link"}),
        ("insync,true|false", {"core-link", "Leaf", "gone, 100%", "core_link"}),
        ("customerId,ACME,status,active", {"core-link"}),
        ("version,>1", {"Leaf"}),
        ("version,<=1", {"core-link", "core_link", "gone, 100%"}),
        ("start_date,2026-03-01", {"core-link"}),
        ("startDate,>2026-03-01", {"Leaf"}),
        ("start_date,<=2026-03-01T12:00:00+00:00", {"core-link"}),
        ("start_date,2026-03-01T13:00:00+01:00", {"core-link"}),
        ("start_date,null", {"core_link", "gone, 100%"}),
        ("start_date,!null", {"core-link", "Leaf"}),
        ("note,!secret", {"core-link", "core_link", "gone, 100%"}),
        ("product,port", {"core-link", "core_link", "Leaf", "gone, 100%"}),
        ("tag,port,product_type,Port", {"core-link", "core_link", "Leaf", "gone, 100%"}),
        ("tag,LIR", set()),
    ],
)
def test_filters(client: FlaskClient, rows: Rows, value: str, expected: set[str]) -> None:
    product = rows.product()
    rows.subscription(product, "core-link", start_date=DAY_ONE)
    rows.subscription(product, "core_link", status="provisioning", insync=False)
    rows.subscription(product, "Leaf", customer_id="zeta", version=2, note="secret", start_date=DAY_ONE.replace(day=2))
    rows.subscription(product, "gone, 100%", status="terminated")
    assert set(descriptions(client, filter=value)) == expected


def test_a_filter_by_ids_takes_alternatives(client: FlaskClient, rows: Rows) -> None:
    first, second, _ = rows.subscriptions(rows.product(), 3)
    assert set(descriptions(client, filter=f"subscriptionId,{first}|{second}")) == {"Port 0", "Port 1"}


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ({"filter": "colour,red"}, "customer_id"),
        ({"filter": "status"}, "without a value"),
        ({"filter": "status,active,note"}, "without a value"),
        ({"filter": "version,many"}, "whole number"),
        ({"filter": f"version,{2**70}"}, "too large"),
        ({"filter": "insync,maybe"}, "neither true nor false"),
        ({"filter": "start_date,soon"}, "no time"),
        ({"filter": "start_date,9999-12-31"}, "no time"),
        ({"filter": "product_id,17"}, "no UUID"),
        ({"filter": "status,activ"}, "there is no status 'activ'; there are initial, active, "),
        ({"filter": "status,active|!compeleted"}, "no status 'compeleted'"),
        ({"filter": 'note,"open'}, "cannot be read"),
        ({"sort": "colour"}, "customer_id"),
        ({"sort": "desc,status"}, "a field comes first"),
    ],
)
def test_a_filter_or_sort_that_cannot_be_is_refused_in_words(
    client: FlaskClient, query: dict[str, str], says: str
) -> None:
    assert says in refusal(client, 400, **query)


@pytest.mark.parametrize(
    ("path", "name", "says"),
    [
        ("processes", "lastStatus", "running"),
        ("processes", "status", "awaiting_callback"),
        ("processes", "target", "RECONCILE"),
        ("processes", "waiting_for", "retry, time, children"),
        ("workflows", "target", "RECONCILE"),
        ("products", "status", "end of life"),
        ("product_blocks", "status", "end of life"),
        ("schedules", "overlap", "skip, queue, allow"),
    ],
)
def test_a_word_that_a_field_never_has_is_refused_naming_those_that_it_can_have(
    client: FlaskClient, path: str, name: str, says: str
) -> None:
    response = client.get(f"/api/{path}/", query_string={"filter": f"{name},no such word"})
    assert response.status_code == 400
    assert says in response.json["detail"]


@pytest.mark.parametrize("query", [{"page": -1}, {"page": 0}, {"page": "x"}, {"page_size": 501}, {"page": 10**30}])
def test_a_page_that_cannot_be_is_refused(client: FlaskClient, query: dict[str, Any]) -> None:
    assert next(iter(query)) in refusal(client, 422, **query)


def test_a_parameter_that_nobody_knows_is_refused(client: FlaskClient) -> None:
    assert "colour" in refusal(client, 422, colour="red")
    response = client.get(f"{URL}?page=1&page=2")
    assert response.status_code == 422
    assert response.json["errors"] == {"query": {"page": ["Given more than once."]}}


def test_the_link_to_the_next_page_keeps_filter_and_sort(client: FlaskClient, rows: Rows) -> None:
    rows.subscriptions(rows.product(), 3)
    response = client.get(
        URL, query_string={"filter": "status,active|terminated", "sort": "-description", "page_size": 2}
    )
    link = response.headers["Link"]
    query = parse_qs(urlsplit(link[1 : link.index(">")]).query)
    assert query["filter"] == ["status,active|terminated"]
    assert [item["description"] for item in client.get(link[1 : link.index(">")]).json] == ["Port 0"]


def test_nulls_have_their_place_in_the_order(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    rows.subscription(product, "none", start_date=None)
    rows.subscription(product, "some", start_date=DAY_ONE)
    assert descriptions(client, sort="start_date") == ["some", "none"]
    assert descriptions(client, sort="-start_date") == ["none", "some"]
    assert rows.count(SubscriptionTable) == 2
