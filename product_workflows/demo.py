"""The whole life of a node, driven through REST as any client would drive it, and checked at the end.

`python product_workflows/demo.py --api http://127.0.0.1:8080 --flower http://127.0.0.1:5555 --lab http://127.0.0.1:8099`
Exits 0 when all was as it should be; 1 after saying what was not.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

import httpx
from rich.console import Console
from rich.markup import escape

Json = dict[str, Any]

OLD_DOMAIN: Final = "esnet-293"
NEW_DOMAIN: Final = "esnet-294"
UNDER_WAY: Final = frozenset({"created", "running", "resumed"})
FAILURES: Final = frozenset({"failed", "api_unavailable", "inconsistent_data"})
DONE: Final = frozenset({"success", "skipped", "complete"})
NOT_RECORDED: Final = frozenset({"pending", "running"})
MARKS: Final = {"success": "[green]✓", "complete": "[green]✓", "skipped": "[dim]-", "suspend": "[yellow]?"}
STATES: Final = {"failed": "FAILURE"}
PATIENCE: Final = 60.0

EFFECTS: Final = ["reserve", "create device", "configure system", "change device", "delete device", "release"]


def deltas_wanted(node: str) -> dict[str, Json]:
    """What each of these steps must have added to the state when it worked on this node."""
    return {
        "create_node_enrollment/construct_node_enrollment_model": {"site_id": node.split("-")[0]},
        "create_node_enrollment/reserve_in_esdb": {"reserved_node": node},
        "create_node_enrollment/configure_in_nso": {"nso_device": node},
        "provision_node_enrollment/look_up_node": {"node_name": node},
        "provision_node_enrollment/configure_system_service": {"nso_services": ["system"]},
        "validate_node_enrollment/check_esdb": {"check_esdb": "OK"},
        "validate_node_enrollment/check_nso": {"check_nso": "OK"},
        "validate_node_enrollment/compare_settings_in_nso": {"compare_settings_in_nso": "OK"},
        "modify_node_enrollment/plan_change": {"change": {"routing_domain": {"from": OLD_DOMAIN, "to": NEW_DOMAIN}}},
        "modify_node_enrollment/agree_to_change": {"agreed": True, "ticket": "CHG-1234"},
        "modify_node_enrollment/change_in_nso": {"nso_routing_domain": NEW_DOMAIN},
        "terminate_node_enrollment/load_subscription_info": {"node_name": node},
        "terminate_node_enrollment/remove_from_nso": {"removed_from_nso": True},
        "terminate_node_enrollment/release_in_esdb": {"released_node": node},
    }


class SurpriseError(Exception):
    """Something is not as it should be, and the demo cannot go on."""


@dataclass
class Findings:
    """What was compared, and what of it was not as it should be."""

    console: Console
    compared: int = 0
    surprises: list[str] = field(default_factory=list)

    def compare(self, what: str, wanted: object, found: object) -> None:
        """Note whether something is as it should be."""
        self.compared += 1
        if wanted != found:
            self.surprise(f"{what}: should be {wanted!r}, is {found!r}")

    def surprise(self, text: str) -> None:
        """Note something that should not be there."""
        self.surprises.append(text)
        self.console.print(f"  [red]✗ {escape(text)}")


@dataclass
class RestClient:
    """A client of the orchestrator's REST API: fills in forms, starts, resumes and watches processes."""

    http: httpx.Client
    console: Console
    shown: set[tuple[str, Any]] = field(default_factory=set)

    def get(self, path: str, **parameters: str) -> Any:
        """The JSON under a path."""
        return _answer(self.http.get(path, params=parameters), 200)

    def start(self, workflow: str, chosen: Json) -> str:
        """Start a workflow and return the id of its process. A second start with the same key must start nothing."""
        path = f"/api/processes/{workflow}"

        def post(pages: list[Json], key: str) -> httpx.Response:
            return self.http.post(path, json=pages, headers={"Idempotency-Key": key})

        pages, key, response = self._fill_in(post, chosen)
        process_id = str(_answer(response, 201)["id"])
        if (again := _answer(post(pages, key), 201)["id"]) != process_id:
            raise SurpriseError(f"{workflow}: a second start with the same Idempotency-Key started {again}")
        self.console.print(f"  process [cyan]{process_id}")
        return process_id

    def resume(self, process_id: str, chosen: Json | None = None) -> None:
        """Give a process the input that it asks for, or, with nothing chosen, retry the step that failed."""
        path = f"/api/processes/{process_id}/resume"
        if chosen is None:
            _answer(self.http.put(path, json=[]), 204)
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
            form = _answer(response, 510)["form"]
            pages.append(_filled_in(form, chosen))
            shown = ", ".join(f"{name}={value}" for name, value in pages[-1].items() if value is not None)
            self.console.print(f"  form [bold]{escape(form.get('title', '?'))}[/]: {escape(shown)}")


def _answer(response: httpx.Response, status: int) -> Any:
    """The JSON of an answer that must have this status."""
    if response.status_code != status:
        asked = f"{response.request.method} {response.request.url}"
        raise SurpriseError(f"{asked} was answered {response.status_code} instead of {status}: {response.text[:800]}")
    return response.json() if response.content else None


def _filled_in(form: Json, chosen: Json) -> Json:
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


@dataclass
class Story:
    """One life of a node: what happened, and what was found."""

    client: RestClient
    lab: httpx.Client
    findings: Findings
    console: Console
    subscription_id: str = ""
    node: str = ""
    processes: list[Json] = field(default_factory=list)

    def live(self, product_id: str) -> None:
        """Create, provision, validate, modify with a fault, terminate."""
        effects_before = len(_answer(self.lab.get("/lab/effects"), 200))

        created = self._run("create_node_enrollment", {"product": product_id, "organisation": "demo-university"})
        self.subscription_id, self.node = (created["current_state"][key] for key in ("subscription_id", "select_node"))
        self._look_at_subscription("provisioning", OLD_DOMAIN)

        self._run("provision_node_enrollment")
        self._look_at_subscription("active", OLD_DOMAIN)
        self._look_at_workflows({"modify": 1, "terminate": 1, "system": 1})
        self._run("validate_node_enrollment")

        self._modify_while_nso_fails()
        self._look_at_subscription("active", NEW_DOMAIN)

        self._run("terminate_node_enrollment")
        self._look_at_subscription("terminated", NEW_DOMAIN)
        self._look_at_workflows({"modify": 0, "system": 0})

        effects = [effect["action"] for effect in _answer(self.lab.get("/lab/effects"), 200)]
        self.findings.compare("each effect outside happened once", EFFECTS, effects[effects_before:])

    def _run(self, workflow: str, chosen: Json | None = None) -> Json:
        self.console.rule(workflow, align="left")
        process_id = self.client.start(workflow, chosen or {"subscription_id": self.subscription_id})
        return self._ended(self.client.follow(process_id))

    def _modify_while_nso_fails(self) -> None:
        self.console.rule("modify_node_enrollment, with input and a fault of NSO", align="left")
        chosen = {"subscription_id": self.subscription_id, "routing_domain": NEW_DOMAIN}
        process_id = self.client.start("modify_node_enrollment", chosen)
        self.findings.compare("it waits for input", "suspended", self.client.follow(process_id)["last_status"])

        # The worst of faults: NSO does what it is asked for, and nobody can read its answer.
        fault = {"path": "/nso/devices", "method": "PUT", "answer": "malformed"}
        _answer(self.lab.put("/lab/faults", json=fault), 200)
        self.client.resume(process_id, {"agreed": True, "ticket": "CHG-1234"})
        failed = self.client.follow(process_id)
        if failed["last_status"] not in FAILURES:
            raise SurpriseError(f"with a fault of NSO the process became {failed['last_status']}")

        self.console.print("  [yellow]NSO is well again: resume")
        self.client.resume(process_id)
        ended = self._ended(self.client.follow(process_id))
        statuses = [row["status"] for row in ended["steps"] if row["key"] == "change_in_nso"]
        self.findings.compare("the step that failed and was resumed", ["failed", "success"], statuses)

    def _ended(self, process: Json) -> Json:
        """Note a process that must be completed, with every step of it done once."""
        name = process["workflow_name"]
        if process["last_status"] != "completed":
            raise SurpriseError(f"{name} is {process['last_status']}: {process['failed_reason']}")
        self.processes.append(process)
        keys = [row["key"] for row in process["steps"] if row["status"] in DONE]
        self.findings.compare(f"{name}: the steps that are done", sorted(set(keys)), sorted(keys))
        left = [row["key"] for row in process["steps"] if row["status"] in NOT_RECORDED]
        self.findings.compare(f"{name}: the steps still to come", [], left)
        self.findings.compare(f"{name}: how the last step ended", "complete", process["steps"][-1]["status"])
        return process

    def _look_at_subscription(self, status: str, routing_domain: str) -> None:
        subscription = self.client.get(f"/api/subscriptions/domain-model/{self.subscription_id}")
        found = (subscription["status"], subscription["insync"], subscription["ne"]["routing_domain"])
        self.findings.compare("the subscription", (status, True, routing_domain), found)
        self.console.print(f"  subscription [bold]{status}[/]: {escape(subscription['description'])}")

    def _look_at_workflows(self, usable: dict[str, int]) -> None:
        lists = self.client.get(f"/api/subscriptions/workflows/{self.subscription_id}")
        found = {kind: sum(item.get("reason") is None for item in lists[kind]) for kind in usable}
        self.findings.compare("how many workflows are usable", usable, found)

    def check_deltas(self) -> None:
        """Compare what each step added to the state, and what that comes to, with what should be there."""
        steps: dict[str, Json] = {}
        for process in self.processes:
            merged: Json = {}
            for row in process["steps"]:
                delta = row["state_delta"] or {}
                if row["status"] in DONE:
                    steps[f"{process['workflow_name']}/{row['key']}"] = delta
                    merged |= delta
            kept = {key: process["current_state"].get(key) for key in merged}
            self.findings.compare(f"{process['workflow_name']}: its state as the sum of its deltas", merged, kept)
        for place, wanted in deltas_wanted(self.node).items():
            found = {key: steps.get(place, {}).get(key) for key in wanted}
            self.findings.compare(f"the delta of {place}", wanted, found)


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
        answer = _answer(flower.get("/api/tasks", params={"limit": 100_000}), 200)
        recent = {task_id: task for task_id, task in answer.items() if (task.get("received") or began) >= began}
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


def wait_for_product(client: RestClient) -> Json:
    """The product of the demo, once the API answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            products = client.get("/api/products/", tag="NodeEnrollment")
            break
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise SurpriseError(f"the API does not answer: {error}") from error
            time.sleep(0.2)
    if len(products) != 1:
        raise SurpriseError(f"there should be one product with the tag NodeEnrollment, there are {len(products)}")
    product: Json = products[0]
    return product


def play(api: str, flower: str, lab: str, console: Console) -> Findings:
    """Live through all of it and look back.

    Raises:
        SurpriseError: it cannot go on.
        httpx.TransportError: one of the servers does not answer.
    """
    findings, began = Findings(console), time.time()
    with (
        httpx.Client(base_url=api, timeout=10) as api_client,
        httpx.Client(base_url=flower, timeout=10) as flower_client,
        httpx.Client(base_url=lab, timeout=10) as lab_client,
    ):
        client = RestClient(api_client, console)
        story = Story(client, lab_client, findings, console)
        try:
            story.live(wait_for_product(client)["product_id"])
        finally:
            lab_client.delete("/lab/faults")
        console.rule("looking back", align="left")
        story.check_deltas()
        check_flower(flower_client, began, story.processes, findings)
    return findings


def main() -> int:
    """Run the demo; the exit status says whether there was a surprise."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--api", default="http://127.0.0.1:8080", help="the orchestrator")
    parser.add_argument("--flower", default="http://127.0.0.1:5555", help="with user:password@ if it asks for them")
    parser.add_argument("--lab", default="http://127.0.0.1:8099", help="the server that stands for ESDB and NSO")
    arguments = parser.parse_args()
    console = Console(highlight=False, soft_wrap=True)
    try:
        findings = play(arguments.api, arguments.flower, arguments.lab, console)
    except (SurpriseError, httpx.HTTPError) as error:
        console.print(f"[bold red]surprise:[/] {escape(str(error) or type(error).__name__)}")
        return 1
    for surprise in findings.surprises:
        console.print(f"[bold red]surprise:[/] {escape(surprise)}")
    if findings.surprises:
        return 1
    console.print(f"[bold green]all is as it should be[/] ({findings.compared} comparisons)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
