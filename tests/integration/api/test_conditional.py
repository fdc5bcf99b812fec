"""Entity tags: a client that has an answer already is told so."""

from __future__ import annotations

from flask.testing import FlaskClient

from tests.integration.api.rows import Rows


def test_an_answer_that_the_client_has_is_not_sent_again(client: FlaskClient, rows: Rows) -> None:
    path = f"/api/products/{rows.product()}"
    first = client.get(path)
    tag = first.headers["ETag"]
    assert tag.startswith('W/"')
    again = client.get(path, headers={"If-None-Match": tag})
    assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", tag)
    client.patch(path, json={"description": "new"})
    changed = client.get(path, headers={"If-None-Match": tag})
    assert (changed.status_code, changed.json["description"]) == (200, "new")
    assert changed.headers["ETag"] != tag


def test_tags_are_compared_as_the_standard_says(client: FlaskClient, rows: Rows) -> None:
    path = f"/api/products/{rows.product()}"
    tag = client.get(path).headers["ETag"]
    strong = tag.removeprefix("W/")
    for header, status in {
        "*": 304,
        strong: 304,
        f'"other", {tag}': 304,
        f'W/"other", "another",{strong}': 304,
        '"other"': 200,
        strong.strip('"')[:-1]: 200,
    }.items():
        assert client.get(path, headers={"If-None-Match": header}).status_code == status, header


def test_a_list_has_another_tag_when_only_its_total_changed(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    rows.subscriptions(product, 2)
    path = "/api/subscriptions/?page_size=1&sort=description"
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    rows.subscription(product, "Zebra")
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 200


def test_errors_and_changes_have_no_tag(client: FlaskClient, rows: Rows) -> None:
    path = f"/api/products/{rows.product()}"
    assert "ETag" not in client.get(f"{path}0").headers
    assert "ETag" not in client.patch(path, json={}).headers
    assert client.get("/api/nonsense", headers={"If-None-Match": "*"}).status_code == 404
