"""What a client of the API does in the tests that look from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx

Json = dict[str, Any]

PATIENCE = 45.0
AT_REST = frozenset({"completed", "failed", "aborted", "suspended", "inconsistent_data", "api_unavailable", "waiting"})


def wait_until(what: Callable[[], object], failure: Callable[[], str], seconds: float = PATIENCE) -> None:
    """Look again and again until it is so, or fail with what `failure` says."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, failure()
        time.sleep(0.05)


class ApiClient:
    """Starts processes and follows them."""

    api: httpx.Client

    def post(self, workflow: str, *pages: Json, key: str | None = None) -> httpx.Response:
        """Start a workflow with these pages."""
        headers = {} if key is None else {"Idempotency-Key": key}
        return self.api.post(f"/api/processes/{workflow}", json=list(pages), headers=headers)

    def start(self, workflow: str, *pages: Json) -> str:
        """Start a workflow, which must be possible, and return the id of its process."""
        answer = self.post(workflow, *pages)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def resume(self, process_id: str, *pages: Json) -> None:
        """Resume a process, which must be possible."""
        answer = self.api.put(f"/api/processes/{process_id}/resume", json=list(pages))
        assert answer.status_code == 204, answer.text

    def show(self, process_id: str) -> Json:
        """A process with its steps."""
        answer = self.api.get(f"/api/processes/{process_id}")
        assert answer.status_code == 200, answer.text
        process: Json = answer.json()
        return process

    def wait_for(self, process_id: str, *wanted: str, seconds: float = PATIENCE) -> Json:
        """Wait until a process has one of these statuses; fail at once when it rests in another."""
        deadline = time.monotonic() + seconds
        while True:
            process = self.show(process_id)
            status = process["last_status"]
            if status in wanted:
                return process
            told = f"{process['workflow_name']} is {status}, not {' or '.join(wanted)}: {process['failed_reason']}"
            assert status not in AT_REST, told
            assert time.monotonic() < deadline, told
            time.sleep(0.05)

    def run(self, workflow: str, *pages: Json) -> Json:
        """Start a workflow and wait until it is completed."""
        return self.wait_for(self.start(workflow, *pages), "completed")


def done(process: Json) -> list[str]:
    """The keys of the steps of a process that were recorded as done, in their order."""
    return [row["key"] for row in process["steps"] if row["status"] in {"success", "skipped", "complete"}]


def row_of(process: Json, key: str) -> Json:
    """The last row of a step."""
    rows: list[Json] = [row for row in process["steps"] if row["key"] == key]
    return rows[-1]
