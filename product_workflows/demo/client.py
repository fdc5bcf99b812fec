"""A client of the REST API: fills in forms, starts, resumes and watches processes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import httpx
from rich.console import Console
from rich.markup import escape

from product_workflows.demo.findings import SurpriseError

Json = dict[str, Any]

UNDER_WAY: Final = frozenset({"created", "running", "resumed"})
MARKS: Final = {"success": "[green]✓", "complete": "[green]✓", "skipped": "[dim]-", "suspend": "[yellow]?"}
PATIENCE: Final = 60.0


@dataclass
class RestClient:
    """A client of the orchestrator's REST API: fills in forms, starts, resumes and watches processes."""

    http: httpx.Client
    console: Console
    shown: set[tuple[str, Any]] = field(default_factory=set)

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON under a path."""
        return answer(self.http.get(path, params=parameters), 200)

    def start(self, workflow: str, chosen: Json) -> str:
        """Start a workflow and return the id of its process. A second start with the same key must start nothing."""
        path = f"/api/processes/{workflow}"

        def post(pages: list[Json], key: str) -> httpx.Response:
            return self.http.post(path, json=pages, headers={"Idempotency-Key": key})

        pages, key, response = self._fill_in(post, chosen)
        process_id = str(answer(response, 201)["id"])
        if (again := answer(post(pages, key), 201)["id"]) != process_id:
            raise SurpriseError(f"{workflow}: a second start with the same Idempotency-Key started {again}")
        self.console.print(f"  process [cyan]{process_id}")
        return process_id

    def resume(self, process_id: str, chosen: Json | None = None) -> None:
        """Give a process the input that it asks for, or, with nothing chosen, retry the step that failed."""
        path = f"/api/processes/{process_id}/resume"
        if chosen is None:
            answer(self.http.put(path, json=[]), 204)
        else:
            self._fill_in(lambda pages, _key: self.http.put(path, json=pages), chosen)

    def follow(self, process_id: str) -> Json:
        """Show each step as it is recorded until nothing runs any more; return the process as it is then."""
        deadline = time.monotonic() + PATIENCE
        with self.console.status("waiting for a worker") as waiting:
            while True:
                process: Json = self.get(f"/api/processes/{process_id}")
                for row in process["steps"]:
                    if row["status"] == "running":
                        waiting.update(f"running {row['name']}")
                    elif row["status"] != "pending" and (process_id, row["step_id"]) not in self.shown:
                        self.shown.add((process_id, row["step_id"]))
                        self.console.print(f"  {_line(row)}")
                if process["last_status"] not in UNDER_WAY:
                    self.console.print(f"  [bold]{process['last_status']}")
                    return process
                if time.monotonic() > deadline:
                    raise SurpriseError(
                        f"process {process_id} is still {process['last_status']} after {PATIENCE:.0f} s"
                    )
                time.sleep(0.1)

    def _fill_in(
        self, send: Callable[[list[Json], str], httpx.Response], chosen: Json
    ) -> tuple[list[Json], str, httpx.Response]:
        """Send page after page, each filled in as its own schema asks, until the server wants no more."""
        pages: list[Json] = []
        while True:
            key = str(uuid4())
            response = send(pages, key)
            if response.is_success:
                return pages, key, response
            form = answer(response, 510)["form"]
            pages.append(filled_in(form, chosen))
            shown = ", ".join(f"{name}={value}" for name, value in pages[-1].items() if value is not None)
            self.console.print(f"  form [bold]{escape(form.get('title', '?'))}[/]: {escape(shown)}")


def answer(response: httpx.Response, status: int) -> Any:
    """The JSON of an answer that must have this status."""
    if response.status_code != status:
        asked = f"{response.request.method} {response.request.url}"
        raise SurpriseError(f"{asked} was answered {response.status_code} instead of {status}: {response.text[:800]}")
    return response.json() if response.content else None


def filled_in(form: Json, chosen: Json) -> Json:
    """A page: what was chosen, else what the form suggests, else the first thing that it offers."""
    page: Json = {}
    for name, asked in form.get("properties", {}).items():
        if name in chosen:
            page[name] = chosen[name]
        elif "default" in asked:
            page[name] = asked["default"]
        elif asked.get("enum"):
            page[name] = asked["enum"][0]
        elif name in form.get("required", []):
            raise SurpriseError(f"the form {form.get('title')!r} asks for {name!r}, of which this client knows nothing")
    return page


def _line(row: Json) -> str:
    took = datetime.fromisoformat(row["completed"]) - datetime.fromisoformat(row["started"])
    at = datetime.fromisoformat(row["completed"]).astimezone()
    mark = f"{MARKS.get(row['status'], '[red]✗')} {escape(row['name']):<46}[/]"
    error = f"\n    [red]{escape(str(row['error'].get('error'))[:160])}[/]" if row.get("error") else ""
    return f"{mark} {row['status']:<8} [dim]{took.total_seconds() * 1000:6.0f} ms  {at:%H:%M:%S}[/]{error}"
