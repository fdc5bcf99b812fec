"""The whole life of a node and of a circuit on it, driven through REST as any client would, and checked at the end.

`python -m product_workflows.demo --api http://127.0.0.1:8080 --flower http://127.0.0.1:5555 --lab http://127.0.0.1:8099`
Exits 0 when all was as it should be; 1 after saying what was not.
"""

from __future__ import annotations

import argparse
import sys
import time

import httpx
from rich.console import Console
from rich.markup import escape

from product_workflows.demo.circuit_story import CircuitStory
from product_workflows.demo.client import PATIENCE, RestClient
from product_workflows.demo.findings import Findings, SurpriseError
from product_workflows.demo.flower import check_flower
from product_workflows.demo.node_story import Story


def wait_for_products(client: RestClient) -> dict[str, str]:
    """The ids of the products by name, once the API answers."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return {product["name"]: product["product_id"] for product in client.get("/api/products/")}
        except httpx.TransportError as error:
            if time.monotonic() > deadline:
                raise SurpriseError(f"the API does not answer: {error}") from error
            time.sleep(0.2)


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
            products = wait_for_products(client)
            story.begin(products["Node Enrollment"])
            CircuitStory(story).live(products["Port 10G"], products["L2VPN"])
            story.end()
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
