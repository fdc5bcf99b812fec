"""Schedules and built-in tasks in a whole system: the clock of the Procfile starts, its workers run."""

from __future__ import annotations

from tests.end_to_end.running_system import Json, RunningSystem, wait_until


def runs(system: RunningSystem, schedule_id: str) -> list[Json]:
    """What its due times came to, the latest first."""
    found: list[Json] = system.api.get(f"/api/schedules/{schedule_id}/runs").json()
    return found


def test_a_schedule_starts_processes_that_workers_run(system: RunningSystem) -> None:
    created = system.api.post("/api/schedules/", json={"workflow_name": "ten_steps", "every": 2, "overlap": "queue"})
    assert created.status_code == 201, created.text
    schedule_id = created.json()["schedule_id"]
    wait_until(lambda: len(runs(system, schedule_id)) >= 3, lambda: f"{runs(system, schedule_id)}")
    assert system.api.put(f"/api/schedules/{schedule_id}/pause").status_code == 204

    started = [run for run in runs(system, schedule_id) if run["outcome"] == "started"]
    assert started
    for run in started:
        process = system.wait_for(run["process_id"], "completed")
        assert process["created_by"] == "schedule ten_steps (operator)"
    assert system.api.delete(f"/api/schedules/{schedule_id}").status_code == 204


def test_the_built_in_tasks_run_on_workers(system: RunningSystem) -> None:
    subscription_id = system.new_thing()
    cleaned = system.run("task_clean_up_tasks")
    assert cleaned["current_state"]["deleted_processes"] == 0
    validated = system.run("task_validate_subscriptions")
    assert validated["current_state"]["validations_refused"] == {}
    compared = system.wait_for(system.start("task_validate_products"), "inconsistent_data")
    assert "never_deployed" in compared["failed_reason"]
    system.api.put(f"/api/processes/{compared['process_id']}/abort").raise_for_status()

    system.run("modify_note", {"subscription_id": subscription_id}, {"note": "call them first"})
    assert system.api.get(f"/api/subscriptions/{subscription_id}").json()["note"] == "call them first"
