"""Holds Flower's tasks against the step rows."""

from __future__ import annotations

import time
from typing import Final

import httpx

from product_workflows.demo.client import Json, answer
from product_workflows.demo.findings import Findings

STATES: Final = {"failed": "FAILURE"}


def check_flower(
    flower: httpx.Client, began: float, processes: list[Json], findings: Findings, patience: float = 10.0
) -> None:
    """Compare Flower's tasks with the step rows: one SUCCESS for each success, one FAILURE for each failure.

    A bell that found nothing to do is no step. All else that Flower has seen since the demo began must be a row.
    """
    rows = {
        row["task_id"]: (f"{process['workflow_name']}/{row['key']}", STATES.get(row["status"], "SUCCESS"))
        for process in processes
        for row in process["steps"]
        if row["task_id"] is not None
    }
    recorded = sum(row["task_id"] is not None for process in processes for row in process["steps"])
    findings.compare("step rows with a Celery task of their own", recorded, len(rows))
    deadline = time.monotonic() + patience
    while True:
        known = answer(flower.get("/api/tasks", params={"limit": 100_000}), 200)
        recent = {task_id: task for task_id, task in known.items() if (task.get("received") or began) >= began}
        stale = {task_id for task_id, task in recent.items() if "nothing to do" in (task.get("result") or "")}
        tasks = {task_id: (task["name"], task["state"]) for task_id, task in recent.items() if task_id not in stale}
        if tasks == rows or time.monotonic() > deadline:
            break
        time.sleep(0.2)
    for state in ("SUCCESS", "FAILURE"):
        counts = [sum(found == state for _, found in those.values()) for those in (rows, tasks)]
        findings.compare(f"Flower's tasks with {state}", *counts)
        findings.console.print(f"  Flower: {counts[1]} {state} for {counts[0]} step rows")
    for task_id in rows.keys() | tasks.keys():
        findings.compare(f"Flower's task {task_id}", rows.get(task_id), tasks.get(task_id))
    if stale:
        findings.console.print(f"  Flower: {len(stale)} bells found nothing to do")
