"""The whole life of a node, as a client lives it through REST."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.products import node_pages, subscription
from tests.end_to_end.running_system import Json, RunningSystem, done, row_of


def merged(process: Json) -> Json:
    """What the deltas of all steps that were done come to."""
    state: dict[str, Any] = {}
    for row in process["steps"]:
        state |= row["state_delta"] or {}
        for key in row["removed_keys"]:
            state.pop(key, None)
    return state


def test_a_node_lives_from_its_enrollment_to_its_end(system: RunningSystem) -> None:
    before = len(system.lab.get("/lab/effects").json())
    create = system.run("create_node_enrollment", *node_pages(system, "university-of-tests"))
    assert done(create) == [
        "start",
        "construct_node_enrollment_model",
        "store_process_subscription",
        "reserve_in_esdb",
        "configure_in_nso",
        "update_subscription_name_and_description",
        "set_status_provisioning",
        "resync",
        "done",
    ]
    node, subscription_id = (create["current_state"][key] for key in ("select_node", "subscription_id"))
    assert row_of(create, "reserve_in_esdb")["state_delta"] == {"reserved_node": node}
    assert row_of(create, "configure_in_nso")["state_delta"] == {"nso_device": node}
    assert merged(create).items() <= create["current_state"].items()
    made = subscription(system, subscription_id)
    assert (made["status"], made["insync"], made["ne"]["routing_domain"]) == ("provisioning", True, "esnet-293")
    assert made["customer_id"] == "university-of-tests"

    page = {"subscription_id": subscription_id}
    provision = system.run("provision_node_enrollment", page)
    assert row_of(provision, "configure_system_service")["state_delta"] == {"nso_services": ["system"]}
    assert subscription(system, subscription_id)["status"] == "active"

    validate = system.run("validate_node_enrollment", page)
    assert validate["is_task"]
    assert merged(validate).items() >= {"check_esdb": "OK", "check_nso": "OK", "compare_settings_in_nso": "OK"}.items()

    modify_id = system.start("modify_node_enrollment", page, {"routing_domain": "esnet-294"})
    waiting = system.wait_for(modify_id, "suspended")
    assert waiting["assignee"] == "NOC"
    assert set(waiting["form"]["properties"]) == {"agreed", "ticket"}
    assert [row["key"] for row in waiting["steps"] if row["status"] == "pending"][-1] == "done"
    refused = system.api.put(f"/api/processes/{modify_id}/resume", json=[{"agreed": True, "ticket": "none"}])
    assert refused.status_code == 400
    assert [error["loc"] for error in refused.json()["validation_errors"]] == [["ticket"]]

    fault = system.lab.put("/lab/faults", json={"path": f"/nso/devices/{node}", "method": "PUT", "answer": "malformed"})
    assert fault.status_code == 200
    system.resume(modify_id, {"agreed": True, "ticket": "CHG-1"})
    failed = system.wait_for(modify_id, "failed")
    assert "change_in_nso" in failed["failed_reason"]
    assert "Traceback" in failed["traceback"]
    assert row_of(failed, "change_in_nso")["error"]["class"] == "WrongAnswerError"
    assert subscription(system, subscription_id)["insync"] is False
    system.resume(modify_id)
    modify = system.wait_for(modify_id, "completed")
    assert [row["status"] for row in modify["steps"] if row["key"] == "change_in_nso"] == ["failed", "success"]
    assert modify["failed_reason"] is None
    moved = subscription(system, subscription_id)
    assert (moved["status"], moved["insync"], moved["ne"]["routing_domain"]) == ("active", True, "esnet-294")

    terminate = system.run("terminate_node_enrollment", page)
    assert row_of(terminate, "remove_from_nso")["state_delta"] == {"removed_from_nso": True}
    assert row_of(terminate, "release_in_esdb")["state_delta"] == {"released_node": node}
    ended = subscription(system, subscription_id)
    assert (ended["status"], ended["insync"]) == ("terminated", True)

    effects = [effect for effect in system.lab.get("/lab/effects").json()[before:] if effect["object"] == node]
    assert [effect["action"] for effect in effects] == [
        "reserve",
        "create device",
        "configure system",
        "change device",
        "delete device",
        "release",
    ]
    history = system.api.get(f"/api/subscriptions/{subscription_id}/changes").json()
    assert ("ne.routing_domain", "esnet-293", "esnet-294") in {
        (change["path"], change["before"], change["after"]) for change in history
    }
