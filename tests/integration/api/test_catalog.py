"""Products, product blocks, resource types and workflows over REST."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient

from orchestrator.services.builtin_workflows import BUILTIN
from orchestrator.storage.tables import FixedInputTable, SubscriptionTable, WorkflowTable
from tests.integration.api.rows import DAY_ONE, Rows


def get(client: FlaskClient, path: str) -> Any:
    response = client.get(f"/api/{path}")
    assert response.status_code == 200, response.text
    return response.json


def test_a_product_is_shown_with_all_that_belongs_to_it(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    rows.block(product, "Port", "speed", "mode")
    rows.add(FixedInputTable(product_id=product, name="media", value="fibre"))
    rows.workflow(product, "modify_port")
    rows.workflow(product, "old_one", deleted_at=DAY_ONE)
    found = get(client, f"products/{product}")
    assert (found["name"], found["tag"], found["product_type"], found["status"]) == (
        "Port 1G",
        "PORT",
        "Port",
        "active",
    )
    assert [block["name"] for block in found["product_blocks"]] == ["Port"]
    assert [item["resource_type"] for item in found["product_blocks"][0]["resource_types"]] == ["mode", "speed"]
    assert [(item["name"], item["value"]) for item in found["fixed_inputs"]] == [("media", "fibre")]
    assert [item["name"] for item in found["workflows"]] == ["modify_port"]
    assert get(client, "products/") == [found]


def test_products_are_listed_by_tag_and_type(client: FlaskClient, rows: Rows) -> None:
    rows.product("A")
    rows.product("B", tag="LIR")
    rows.product("C", product_type="Link")
    assert [item["name"] for item in get(client, "products/")] == ["A", "B", "C"]
    assert [item["name"] for item in get(client, "products/?tag=PORT")] == ["A", "C"]
    assert [item["name"] for item in get(client, "products/?tag=PORT&product_type=Link")] == ["C"]
    assert [item["name"] for item in get(client, "products/?sort=name,desc&page_size=2")] == ["C", "B"]


def test_a_products_description_is_changed_and_audited(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    response = client.patch(f"/api/products/{product}", json={"description": "A port"})
    assert (response.status_code, response.json["description"]) == (201, "A port")
    assert get(client, f"products/{product}")["description"] == "A port"
    (entry,) = rows.audit()
    assert (entry.actor, entry.action, entry.object_type, entry.object_id) == (
        "operator",
        "change",
        "product",
        str(product),
    )
    assert (entry.before, entry.after) == ({"description": ""}, {"description": "A port"})
    assert client.patch(f"/api/products/{product}", json={"description": "A port"}).status_code == 201
    assert len(rows.audit()) == 1


def test_a_product_with_subscriptions_cannot_end_its_life(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    subscription = rows.subscription(product)
    response = client.patch(f"/api/products/{product}", json={"status": "end of life", "description": "gone"})
    assert response.status_code == 400
    assert response.json["type"] == "/api/docs/problems#product-in-use"
    assert get(client, f"products/{product}")["status"] == "active"
    assert get(client, f"products/{product}")["description"] == ""
    rows.change(SubscriptionTable, subscription, status="terminated")
    response = client.patch(f"/api/products/{product}", json={"status": "end of life"})
    assert (response.status_code, response.json["status"]) == (201, "end of life")
    assert response.json["end_date"]
    response = client.patch(f"/api/products/{product}", json={"status": "active"})
    assert response.json["end_date"] is None


@pytest.mark.parametrize(
    "body", [{"name": "x"}, {"status": "gone"}, {"status": None}, {"description": 3}, {"description": "x" * 2001}, []]
)
def test_a_product_cannot_be_changed_to_what_does_not_fit(client: FlaskClient, rows: Rows, body: Any) -> None:
    response = client.patch(f"/api/products/{rows.product()}", json=body)
    assert response.status_code == 422
    assert response.json["type"] == "/api/docs/problems#invalid-request"


def test_a_product_blocks_description_is_changed(client: FlaskClient, rows: Rows) -> None:
    block = rows.block(rows.product(), "Port", "speed")
    (found,) = get(client, "product_blocks/")
    assert (found["product_block_id"], found["tag"]) == (str(block), "PORT")
    response = client.patch(f"/api/product_blocks/{block}", json={"description": "A place to plug"})
    assert (response.status_code, response.json["description"]) == (201, "A place to plug")
    assert get(client, f"product_blocks/{block}") == response.json
    assert [entry.object_type for entry in rows.audit()] == ["product block"]


def test_a_resource_types_description_is_changed(client: FlaskClient, rows: Rows) -> None:
    rows.block(rows.product(), "Port", "speed", "mode")
    found = get(client, "resource_types/")
    assert [item["resource_type"] for item in found] == ["mode", "speed"]
    path = f"resource_types/{found[1]['resource_type_id']}"
    assert client.patch(f"/api/{path}", json={"description": "In Mb/s"}).status_code == 201
    assert get(client, path)["description"] == "In Mb/s"
    assert [entry.object_type for entry in rows.audit()] == ["resource type"]


def test_a_workflow_is_shown_with_the_steps_of_its_code(client: FlaskClient, rows: Rows) -> None:
    known = rows.workflow(None, "look_after_port")
    unknown = rows.workflow(None, "without_code", target="SYSTEM", is_task=True)
    found = get(client, f"workflows/{known}")
    assert (found["name"], found["target"], found["is_task"]) == ("look_after_port", "MODIFY", False)
    assert "Look at the port" in [step["name"] for step in found["steps"]]
    assert "look_at_port" in [step["key"] for step in found["steps"]]
    assert get(client, f"workflows/{unknown}")["steps"] is None


def test_workflows_are_listed_without_those_that_were_deleted(client: FlaskClient, rows: Rows) -> None:
    rows.workflow(None, "b_workflow")
    rows.workflow(None, "a_task", target="SYSTEM", is_task=True)
    deleted = rows.workflow(None, "c_gone", deleted_at=DAY_ONE)
    built_in = {workflow.name for workflow in BUILTIN}
    listed = [item["name"] for item in get(client, "workflows/")]
    assert [name for name in listed if name not in built_in] == ["a_task", "b_workflow"]
    tasks = {item["name"] for item in get(client, "workflows/?filter=isTask,true")}
    assert tasks == built_in - {"modify_note"} | {"a_task"}
    assert client.get(f"/api/workflows/{deleted}").status_code == 404
    assert client.patch(f"/api/workflows/{deleted}", json={"description": "x"}).status_code == 404


def test_a_workflows_description_is_changed(client: FlaskClient, rows: Rows) -> None:
    workflow = rows.workflow(None, "look_after_port")
    before = rows.count(WorkflowTable)
    response = client.patch(f"/api/workflows/{workflow}", json={"description": "Better words"})
    assert (response.status_code, response.json["description"]) == (201, "Better words")
    assert response.json["steps"]
    assert rows.count(WorkflowTable) == before
    assert [(entry.object_type, entry.after) for entry in rows.audit()] == [
        ("workflow", {"description": "Better words"})
    ]


@pytest.mark.parametrize("kind", ["products", "product_blocks", "resource_types", "workflows"])
def test_what_does_not_exist_is_not_found(client: FlaskClient, kind: str) -> None:
    for response in (
        client.get(f"/api/{kind}/{uuid4()}"),
        client.patch(f"/api/{kind}/{uuid4()}", json={"description": "x"}),
    ):
        assert (response.status_code, response.content_type) == (404, "application/problem+json")
        assert "there is no" in response.json["detail"]


def test_the_audit_is_listed_latest_first(client: FlaskClient, rows: Rows) -> None:
    first, second = rows.product("A"), rows.product("B")
    for product in (first, second):
        client.patch(f"/api/products/{product}", json={"description": "new"})
    assert [entry["object_id"] for entry in get(client, "audit/")] == [str(second), str(first)]
    assert [entry["object_id"] for entry in get(client, f"audit/?filter=object_id,{first}")] == [str(first)]
    assert [entry["object_id"] for entry in get(client, "audit/?page_size=1&sort=audit_id")] == [str(first)]
