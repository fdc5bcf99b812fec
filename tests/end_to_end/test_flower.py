"""Flower shows each step as a task that a person can read."""

from __future__ import annotations

from typing import Any

from tests.end_to_end.running_system import Json, RunningSystem, wait_until


def tasks_of(system: RunningSystem, process: Json) -> list[dict[str, Any]]:
    """What Flower says of the tasks that ran the steps of a process, in their order, once it has seen their ends."""
    wanted = [row["task_id"] for row in process["steps"]]

    def found() -> list[dict[str, Any]]:
        answer = system.flower.get("/api/tasks", params={"limit": 100_000}).json()
        return [answer[task_id] for task_id in wanted if task_id in answer]

    wait_until(
        lambda: len(found()) == len(wanted) and all(task["state"] in {"SUCCESS", "FAILURE"} for task in found()),
        lambda: str(found()),
    )
    return found()


def test_each_step_is_a_task_with_a_name_and_arguments_that_can_be_read(system: RunningSystem) -> None:
    process = system.run("ten_steps")
    tasks = tasks_of(system, process)
    assert [task["name"] for task in tasks] == [f"ten_steps/{row['key']}" for row in process["steps"]]
    assert {task["state"] for task in tasks} == {"SUCCESS"}
    for task, row in zip(tasks, process["steps"], strict=True):
        assert task["args"] == "()"
        assert task["kwargs"] == f"workflow=ten_steps, step={row['key']}, process_id={process['process_id']}"
        page = system.flower.get(f"/task/{task['uuid']}")
        assert page.status_code == 200
        assert f"ten_steps/{row['key']}" in page.text


def test_a_step_that_fails_is_a_task_that_failed_and_its_success_is_another(system: RunningSystem) -> None:
    gate = system.new_gate()
    process_id = system.start("fail_until_open", {"gate": gate.name})
    system.wait_for(process_id, "failed")
    gate.open()
    system.resume(process_id)
    process = system.wait_for(process_id, "completed")
    states = [(task["name"], task["state"]) for task in tasks_of(system, process)]
    assert states == [
        ("fail_until_open/start", "SUCCESS"),
        ("fail_until_open/step_1", "SUCCESS"),
        ("fail_until_open/fail_at_closed_gate", "FAILURE"),
        ("fail_until_open/fail_at_closed_gate", "SUCCESS"),
        ("fail_until_open/step_2", "SUCCESS"),
        ("fail_until_open/done", "SUCCESS"),
    ]
    (failure,) = [task for task in tasks_of(system, process) if task["state"] == "FAILURE"]
    assert f"the gate {gate.name} is closed" in failure["exception"]


def test_flower_knows_when_a_step_was_received_and_started_and_counts_it(system: RunningSystem) -> None:
    def counted(stage: str) -> float:
        wanted = ("flower_events_total{", 'task="ten_steps/step_10"', f'type="task-{stage}"')
        lines = system.flower.get("/metrics").text.splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(word in line for word in wanted))

    before = {stage: counted(stage) for stage in ("received", "started", "succeeded")}
    tasks = tasks_of(system, system.run("ten_steps"))
    for task in tasks:
        assert task["received"] <= task["started"] <= task["succeeded"] == task["timestamp"]
        assert 0 < task["runtime"] <= task["succeeded"] - task["received"]
        assert (task["retries"], task["eta"]) == (0, None)
    assert {stage: counted(stage) for stage in before} == {stage: count + 1 for stage, count in before.items()}
    (worker,) = system.flower.get("/workers", params={"json": 1}).json()["data"]
    # What the page calls "Processed" are those received.
    assert worker["task-received"] >= worker["task-started"] >= worker["task-succeeded"] >= len(tasks)


def test_a_step_that_takes_long_is_shown_while_it_runs(system: RunningSystem) -> None:
    gate = system.new_gate()
    process_id = system.start("write_ledger", {"gate": gate.name})
    gate.wait_for_visits(1)

    def shown() -> list[str]:
        tasks = system.flower.get("/api/tasks", params={"search": f"process_id={process_id}"}).json().values()
        return [task["state"] for task in tasks if task["name"] == "write_ledger/enter_and_wait"]

    wait_until(lambda: shown() == ["STARTED"], lambda: str(shown()))
    assert len(gate.visits()) == 1
    gate.open()
    system.wait_for(process_id, "completed")
    wait_until(lambda: shown() == ["SUCCESS"], lambda: str(shown()))


def look_at_pages(system: RunningSystem) -> None:
    """See that those of workers, of tasks and of the broker are there."""

    def workers() -> list[str]:
        return list(system.flower.get("/api/workers", params={"refresh": 1}).json())

    # A worker that has just started does not answer Flower's first question in the second that it waits.
    wait_until(lambda: len(workers()) == 1, lambda: str(workers()))
    (worker,) = workers()
    for path in ("/workers", f"/worker/{worker}", "/tasks", "/broker"):
        assert system.flower.get(path).status_code == 200, path


def test_the_pages_of_workers_tasks_and_queues_are_there(system: RunningSystem) -> None:
    look_at_pages(system)
    queues = {
        queue["name"]: queue["messages"] for queue in system.flower.get("/api/queues/length").json()["active_queues"]
    }
    assert queues.keys() == {"workflows", "tasks"}
    broker = system.flower.get("/broker").text
    for name in queues:
        assert name in broker
