"""Maps that a catalog changes when it is imported act in every process of the system."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.running_system import RunningSystem, row_of


def listed(system: RunningSystem, subscription_id: str) -> dict[str, Any]:
    """The workflows of a subscription's product by name, as the API lists them."""
    answer = system.api.get(f"/api/subscriptions/workflows/{subscription_id}")
    assert answer.status_code == 200, answer.text
    lists = answer.json()
    return {item["name"]: item for kind in ("modify", "terminate", "system") for item in lists[kind]}


def test_a_workflow_that_the_maps_allow_out_of_sync_runs_beside_one_that_holds_the_subscription(
    system: RunningSystem,
) -> None:
    thing, gate = system.new_thing(), system.new_gate()
    assert listed(system, thing)["modify_thing"].get("reason") is None
    holder = system.start("modify_thing", {"subscription_id": thing}, {"gate": gate.name, "colour": "green"})
    gate.wait_for_visits(1)

    found = listed(system, thing)
    assert found["modify_thing"]["reason"] == "subscription.not_in_sync"
    assert found["note_on_thing"].get("reason") is None
    noted = system.run("note_on_thing", {"subscription_id": thing})

    maps = row_of(noted, "tell_maps")["state_delta"]
    assert "note_on_thing" in maps["out_of_sync"]
    assert maps["usable"]["repaint_thing"] == ["provisioning"]
    assert maps["usable"]["provision_node_enrollment"] == ["provisioning"]
    gate.open()
    system.wait_for(holder, "completed")


def test_a_workflow_that_the_maps_forbid_in_this_status_is_blocked_with_its_reason(system: RunningSystem) -> None:
    thing = system.new_thing()
    item = listed(system, thing)["repaint_thing"]
    assert item["reason"] == "subscription.no_modify_invalid_status"
    assert (item["usable_when"], item["status"]) == (["provisioning"], "active")
    refused = system.post("repaint_thing", {"subscription_id": thing}, {"gate": "none", "colour": "red"})
    assert refused.status_code == 400
    assert "subscription.no_modify_invalid_status" in refused.json()["detail"]


def test_a_workflow_that_the_maps_allow_on_what_has_ended_runs_there(system: RunningSystem) -> None:
    thing = system.new_thing()
    system.run("terminate_thing", {"subscription_id": thing})
    assert listed(system, thing)["look_at_thing"].get("reason") is None
    system.run("look_at_thing", {"subscription_id": thing})
