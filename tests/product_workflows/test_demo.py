"""The demo's comparisons find what they are there to find. Flower is a real HTTP server with the tasks of the test."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any

import httpx
import pytest
from flask import Flask
from rich.console import Console
from werkzeug.serving import make_server

from product_workflows.demo.client import RestClient, filled_in
from product_workflows.demo.findings import Findings, SurpriseError
from product_workflows.demo.flower import check_flower
from product_workflows.demo.node_story import Story

BEGAN = 1_000.0


def row(key: str, status: str, task_id: str | None, **more: Any) -> dict[str, Any]:
    return {"key": key, "status": status, "task_id": task_id, "state_delta": {}, **more}


def process(*rows: dict[str, Any], status: str = "completed") -> dict[str, Any]:
    return {"workflow_name": "w", "last_status": status, "failed_reason": "why", "steps": list(rows)}


PROCESS = process(
    row("start", "success", "1"),
    row("ask", "suspend", "2"),
    row("ask", "success", None),
    row("act", "failed", "3"),
    row("act", "success", "4"),
    row("done", "complete", "5"),
)


def tasks() -> dict[str, dict[str, Any]]:
    """What Flower shows of PROCESS when all is well."""
    found = (("1", "start"), ("2", "ask"), ("3", "act"), ("4", "act"), ("5", "done"))
    return {
        task_id: {"name": f"w/{key}", "state": "FAILURE" if task_id == "3" else "SUCCESS", "received": BEGAN + 1}
        for task_id, key in found
    }


@pytest.fixture
def findings() -> Findings:
    return Findings(Console(file=io.StringIO()))


@contextmanager
def flower_with(found: dict[str, Any]) -> Iterator[httpx.Client]:
    app = Flask("flower")
    app.add_url_rule("/api/tasks", view_func=lambda: found, endpoint="tasks")
    server = make_server("127.0.0.1", 0, app)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{server.server_port}") as client:
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def compare(found: dict[str, Any], findings: Findings) -> list[str]:
    with flower_with(found) as flower:
        check_flower(flower, BEGAN, [PROCESS], findings, patience=0)
    return findings.surprises


def test_flowers_tasks_that_are_the_step_rows_are_no_surprise(findings: Findings) -> None:
    old = {"name": "w/start", "state": "SUCCESS", "received": BEGAN - 1}
    stale = {"name": "w/act", "state": "SUCCESS", "received": BEGAN + 1, "result": "'nothing to do'"}
    assert compare({**tasks(), "old": old, "stale": stale}, findings) == []
    assert findings.compared == 8


@pytest.mark.parametrize(
    ("task_id", "change"),
    [
        ("1", None),
        ("3", {"state": "SUCCESS"}),
        ("4", {"state": "FAILURE"}),
        ("4", {"state": "STARTED"}),
        ("5", {"name": "orchestrator.run_step"}),
        ("6", {"name": "w/act", "state": "SUCCESS", "received": BEGAN + 2}),
    ],
    ids=["missing", "success for failure", "failure for success", "not ended", "another name", "one more"],
)
def test_a_task_that_differs_from_its_step_row_is_a_surprise(
    findings: Findings, task_id: str, change: dict[str, Any] | None
) -> None:
    found = tasks()
    if change is None:
        del found[task_id]
    else:
        found[task_id] = {**found.get(task_id, {}), **change}
    assert any(f"Flower's task {task_id}" in surprise for surprise in compare(found, findings))


@pytest.mark.parametrize(
    ("spoilt", "surprise"),
    [
        (process(row("start", "success", "1"), row("start", "success", "2"), row("done", "complete", "3")), "are done"),
        (process(row("start", "success", "1"), row("done", "pending", None)), "still to come"),
        (process(row("start", "success", "1")), "how the last step ended"),
    ],
)
def test_a_process_with_steps_that_should_not_be_there_is_a_surprise(
    findings: Findings, spoilt: dict[str, Any], surprise: str
) -> None:
    with httpx.Client() as nowhere:
        story = Story(RestClient(nowhere, findings.console), nowhere, findings, findings.console)
        story._ended(spoilt)
        assert any(surprise in found for found in findings.surprises)
        with pytest.raises(SurpriseError, match="w is aborted: why"):
            story._ended(process(status="aborted"))


def test_a_form_is_filled_in_with_what_was_chosen_or_suggested_and_an_unknown_question_is_a_surprise() -> None:
    properties: dict[str, Any] = {"chosen": {}, "suggested": {"default": 1}, "offered": {"enum": ["first", "second"]}}
    form = {"title": "A page", "properties": properties, "required": ["chosen"]}
    assert filled_in(form, {"chosen": "x", "other": 1}) == {"chosen": "x", "suggested": 1, "offered": "first"}
    with pytest.raises(SurpriseError, match="'A page' asks for 'chosen'"):
        filled_in(form, {})
