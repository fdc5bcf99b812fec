"""The life of a node: create, provision, validate, modify with a fault, terminate."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import httpx
from rich.console import Console
from rich.markup import escape

from product_workflows.demo.client import Json, RestClient, answer
from product_workflows.demo.findings import Findings, SurpriseError

OLD_DOMAIN: Final = "esnet-293"
NEW_DOMAIN: Final = "esnet-294"
FAILURES: Final = frozenset({"failed", "api_unavailable", "inconsistent_data"})
DONE: Final = frozenset({"success", "skipped", "complete"})
NOT_RECORDED: Final = frozenset({"pending", "running"})


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

    def begin(self, product_id: str) -> None:
        """Create, provision, validate, modify with a fault."""
        with self.effects("reserve", "create device", "configure system", "change device"):
            created = self.run("create_node_enrollment", {"product": product_id, "organisation": "demo-university"})
            state = created["current_state"]
            self.subscription_id, self.node = state["subscription_id"], state["select_node"]
            self._look_at_subscription("provisioning", OLD_DOMAIN)

            self.run("provision_node_enrollment")
            self._look_at_subscription("active", OLD_DOMAIN)
            self.look_at_workflows(
                {
                    "modify": ["modify_node_enrollment", "modify_note"],
                    "terminate": ["terminate_node_enrollment"],
                    "system": ["validate_node_enrollment"],
                }
            )
            self.run("validate_node_enrollment")

            self._modify_while_nso_fails()
            self._look_at_subscription("active", NEW_DOMAIN)

    def end(self) -> None:
        """Terminate."""
        with self.effects("delete device", "release"):
            self.run("terminate_node_enrollment")
            self._look_at_subscription("terminated", NEW_DOMAIN)
            self.look_at_workflows({"modify": [], "system": []})

    @contextmanager
    def effects(self, *wanted: str) -> Iterator[None]:
        """Compare what happens outside meanwhile with what should happen, each once and in this order."""
        before = len(answer(self.lab.get("/lab/effects"), 200))
        yield
        found = [effect["action"] for effect in answer(self.lab.get("/lab/effects"), 200)]
        self.findings.compare("the effects outside", list(wanted), found[before:])

    def run(self, workflow: str, chosen: Json | None = None) -> Json:
        """Start a workflow, on the node when nothing is chosen, and follow it to its end."""
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
        answer(self.lab.put("/lab/faults", json=fault), 200)
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

    def look_at_workflows(self, usable: dict[str, list[str]]) -> None:
        """Compare which workflows the subscription of the node may be given to now, by kind."""
        lists = self.client.get(f"/api/subscriptions/workflows/{self.subscription_id}")
        found = {kind: sorted(item["name"] for item in lists[kind] if item.get("reason") is None) for kind in usable}
        self.findings.compare("which workflows are usable", usable, found)

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
