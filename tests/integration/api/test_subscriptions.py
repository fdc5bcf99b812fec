"""Subscriptions over REST."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from flask.testing import FlaskClient
from sqlalchemy import delete

from orchestrator.services.subscriptions import WF_USABLE_MAP
from orchestrator.storage.tables import ProcessTable, SubscriptionChangeTable, SubscriptionTable
from tests.integration.api.rows import DAY_ONE, Rows

PATHS = ("", "/in-use-by", "/depends-on", "/changes")


def get(client: FlaskClient, path: str) -> Any:
    response = client.get(f"/api/subscriptions/{path}")
    assert response.status_code == 200, response.text
    return response.json


def workflows_by_name(client: FlaskClient, subscription_id: UUID) -> dict[str, dict[str, Any]]:
    found = get(client, f"workflows/{subscription_id}")
    return {item["name"]: item for items in found.values() if isinstance(items, list) for item in items}


def test_a_subscription_is_shown_with_its_product_and_times_with_offset(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    subscription = rows.subscription(product, "Port 1", start_date=DAY_ONE, note="be careful")
    found = get(client, str(subscription))
    assert datetime.fromisoformat(found.pop("created_at")).tzinfo
    assert datetime.fromisoformat(found.pop("last_modified_at")).tzinfo
    assert found == {
        "subscription_id": str(subscription),
        "description": "Port 1",
        "status": "active",
        "insync": True,
        "customer_id": "acme",
        "start_date": "2026-03-01T12:00:00+00:00",
        "end_date": None,
        "note": "be careful",
        "version": 1,
        "product": {
            "product_id": str(product),
            "name": "Port 1G",
            "description": "",
            "product_type": "Port",
            "tag": "PORT",
            "status": "active",
        },
    }


def test_a_subscription_without_a_model_is_shown_as_it_is_stored(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    block = rows.block(product, "Port", "speed")
    lower = rows.subscription(product, "lower")
    upper = rows.subscription(product, "upper")
    rows.uses(block, upper, lower)
    found = get(client, f"domain-model/{lower}")
    assert found["description"] == "lower"
    assert found["product"]["name"] == "Port 1G"
    assert found["port"]["name"] == "Port"
    assert found["in_use_by_ids"] == [str(upper)]


@pytest.mark.parametrize("path", [*(f"{{}}{path}" for path in PATHS), "domain-model/{}", "workflows/{}"])
def test_an_unknown_subscription_is_not_found(client: FlaskClient, path: str) -> None:
    response = client.get(f"/api/subscriptions/{path.format(uuid4())}")
    assert response.status_code == 404
    assert response.json["type"] == "/api/docs/problems#not-found"
    assert "there is no subscription" in response.json["detail"].lower()


@pytest.mark.parametrize("path", [*(f"{{}}{path}" for path in PATHS), "domain-model/{}", "workflows/{}", "{}/audit"])
def test_an_id_that_is_no_uuid_is_refused(client: FlaskClient, path: str) -> None:
    response = client.get(f"/api/subscriptions/{path.format('17')}")
    assert response.status_code == 422
    assert "'17' is not a UUID" in response.json["detail"]


def test_relations_are_shown_in_both_directions(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    block = rows.block(product)
    lower, upper = rows.subscription(product, "lower"), rows.subscription(product, "upper")
    rows.uses(block, upper, lower)
    assert [item["description"] for item in get(client, f"{lower}/in-use-by")] == ["upper"]
    assert get(client, f"{lower}/depends-on") == []
    assert [item["subscription_id"] for item in get(client, f"{upper}/depends-on")] == [str(lower)]
    assert get(client, f"{upper}/depends-on")[0]["product_name"] == "Port 1G"


def test_workflows_are_listed_by_target_with_the_reason_why_not(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    for name, target in [("create_port", "CREATE"), ("modify_port", "MODIFY"), ("terminate_port", "TERMINATE")]:
        rows.workflow(product, name, target)
    rows.workflow(product, "validate_port", "VALIDATE", is_task=True)
    rows.workflow(None, "modify_other")
    found = get(client, f"workflows/{rows.subscription(product)}")
    assert found["reason"] is None
    assert [item["name"] for item in found["modify"]] == ["modify_port"]
    assert [(item["name"], item["reason"]) for item in found["validate"]] == [("validate_port", None)]
    assert (found["system"], found["reconcile"]) == ([], [])
    assert found["modify"][0]["description"] == "About modify_port"
    assert found["modify"][0]["reason"] is None
    assert found["create"][0]["reason"] == "subscription.no_modify_invalid_status"
    in_progress = get(client, f"workflows/{rows.subscription(product, status='provisioning')}")
    assert in_progress["terminate"][0]["reason"] is None
    blocked = in_progress["modify"][0]
    assert (blocked["reason"], blocked["usable_when"], blocked["status"], blocked["action"]) == (
        "subscription.no_modify_invalid_status",
        ["active"],
        "provisioning",
        "modified",
    )


def test_the_process_that_holds_a_subscription_is_named(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    workflow_id = rows.workflow(product, "modify_port")
    process_id = rows.process(workflow_id, None, "failed")
    found = get(client, f"workflows/{rows.subscription(product, insync=False, held_by=process_id)}")
    holder = {"process_id": str(process_id), "workflow_name": "modify_port", "status": "failed"}
    assert found["held_by"] == found["modify"][0]["held_by"] == holder
    assert str(process_id) in found["message"]


def test_the_usage_map_decides_in_the_api_too(client: FlaskClient, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    product = rows.product()
    rows.workflow(product, "modify_port")
    subscription = rows.subscription(product, status="provisioning")
    monkeypatch.setitem(WF_USABLE_MAP, "modify_port", ["provisioning"])
    assert workflows_by_name(client, subscription)["modify_port"]["reason"] is None


def test_out_of_sync_blocks_all_but_tasks(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    rows.workflow(product, "modify_port")
    rows.link_builtin(product, "modify_note")
    rows.workflow(product, "validate_port", "VALIDATE", is_task=True)
    subscription = rows.subscription(product, insync=False)
    assert get(client, f"workflows/{subscription}")["reason"] == "subscription.not_in_sync"
    reasons = {name: item["reason"] for name, item in workflows_by_name(client, subscription).items()}
    assert reasons == {"modify_port": "subscription.not_in_sync", "modify_note": None, "validate_port": None}


def test_relations_block_with_their_details(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    block = rows.block(product)
    rows.workflow(product, "modify_port")
    rows.workflow(product, "terminate_port", "TERMINATE")
    lower, upper = rows.subscription(product, "lower"), rows.subscription(product, "upper")
    rows.uses(block, upper, lower)
    found = workflows_by_name(client, lower)
    assert found["modify_port"]["reason"] is None
    blocked = found["terminate_port"]
    assert blocked["reason"] == "subscription.no_modify_subscription_in_use_by_others"
    assert blocked["unterminated_in_use_by_subscriptions"] == [str(upper)]
    assert blocked["unterminated_in_use_by_subscriptions_detail"][0]["description"] == "upper"
    rows.change(SubscriptionTable, upper, insync=False)
    locked = get(client, f"workflows/{lower}")
    assert locked["reason"] == "subscription.relations_not_in_sync"
    assert locked["locked_relations"] == [str(upper)]
    assert locked["locked_relations_detail"][0]["insync"] is False
    assert locked["held_by"] is None


def test_a_person_sets_in_sync_with_a_reason(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    subscription = rows.subscription(product, insync=False)
    rows.process(rows.workflow(product, "modify_port"), subscription, "completed")
    response = client.put(
        f"/api/subscriptions/{subscription}/set_in_sync",
        json={"reason": "repaired by hand"},
        headers={"X-Request-Id": "ticket-17"},
    )
    assert response.status_code == 200
    assert response.json["insync"] is True
    (entry,) = client.get(f"/api/subscriptions/{subscription}/audit").json
    assert datetime.fromisoformat(entry.pop("at")).tzinfo
    assert entry.pop("audit_id")
    assert entry == {
        "actor": "operator",
        "action": "set in sync",
        "object_type": "subscription",
        "object_id": str(subscription),
        "process_id": None,
        "subscription_id": str(subscription),
        "reason": "repaired by hand",
        "before": {"insync": False},
        "after": {"insync": True},
        "request_id": "ticket-17",
    }
    (change,) = get(client, f"{subscription}/changes")
    assert (change["path"], change["before"], change["after"]) == ("insync", False, True)
    assert change["changed_by"] == "operator"


def test_the_history_stays_when_the_process_that_made_it_is_deleted(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    subscription = rows.subscription(product)
    process = rows.process(rows.workflow(product, "modify_port"), subscription, "completed")
    made = {"process_id": process, "step_key": "change_settings", "changed_by": "alice"}
    rows.add(SubscriptionChangeTable(subscription_id=subscription, path="port.mtu", before=1500, after=9000, **made))
    with rows.database.transaction("tester") as session:
        session.execute(delete(ProcessTable).where(ProcessTable.process_id == process))
    assert client.get(f"/api/processes/{process}").status_code == 404
    (found,) = get(client, f"{subscription}/changes?filter=process_id,{process}")
    assert (found["path"], found["before"], found["after"]) == ("port.mtu", 1500, 9000)
    assert (found["process_id"], found["step_key"], found["changed_by"]) == (str(process), "change_settings", "alice")
    assert get(client, str(subscription))["subscription_id"] == str(subscription)


def test_setting_in_sync_what_is_in_sync_changes_nothing(client: FlaskClient, rows: Rows) -> None:
    subscription = rows.subscription(rows.product())
    response = client.put(f"/api/subscriptions/{subscription}/set_in_sync")
    assert (response.status_code, response.json["version"]) == (200, 1)
    assert rows.audit() == []


def test_an_unfinished_process_keeps_its_subscription_out_of_sync(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    subscription = rows.subscription(product, insync=False)
    process = rows.process(rows.workflow(product, "modify_port"), subscription, "failed")
    response = client.put(f"/api/subscriptions/{subscription}/set_in_sync", json={})
    assert response.status_code == 422
    assert response.json["type"] == "/api/docs/problems#unfinished-processes"
    assert str(process) in response.json["detail"]
    assert get(client, str(subscription))["insync"] is False
    assert rows.audit() == []


def test_a_task_that_ran_does_not_keep_a_subscription_out_of_sync(client: FlaskClient, rows: Rows) -> None:
    product = rows.product()
    subscription = rows.subscription(product, insync=False)
    task = rows.process(rows.workflow(product, "validate_port", "VALIDATE"), subscription, "failed", is_task=True)
    assert client.put(f"/api/subscriptions/{subscription}/set_in_sync").status_code == 200
    rows.change(SubscriptionTable, subscription, insync=False, held_by=task)
    response = client.put(f"/api/subscriptions/{subscription}/set_in_sync")
    assert (response.status_code, response.json["title"]) == (422, "Unfinished processes")


@pytest.mark.parametrize("body", [{"reasons": "x"}, {"reason": ""}, {"reason": 7}, {"reason": "x" * 2001}, ["x"], "x"])
def test_a_body_that_does_not_fit_is_refused(client: FlaskClient, rows: Rows, body: Any) -> None:
    subscription = rows.subscription(rows.product(), insync=False)
    response = client.put(f"/api/subscriptions/{subscription}/set_in_sync", json=body)
    assert response.status_code == 422
    assert "json" in response.json["errors"]
    assert get(client, str(subscription))["insync"] is False


def test_the_history_is_listed_latest_first_and_can_be_filtered(client: FlaskClient, rows: Rows) -> None:
    subscription = rows.subscription(rows.product())
    process = uuid4()
    rows.add(
        *(
            SubscriptionChangeTable(
                subscription_id=subscription,
                path=path,
                before={"a": 1},
                after=["b"],
                process_id=process if path == "note" else None,
                changed_by="tests",
            )
            for path in ("description", "note", "port.speed")
        )
    )
    assert [item["path"] for item in get(client, f"{subscription}/changes")] == ["port.speed", "note", "description"]
    (found,) = get(client, f"{subscription}/changes?filter=process_id,{process}")
    assert (found["path"], found["before"], found["after"]) == ("note", {"a": 1}, ["b"])
