"""(g) Throughput with Celery's task events, and Flower that reads them."""

from __future__ import annotations

from bench.cases.extent import Extent
from bench.contenders.core import Core
from bench.contenders.ours import Ours
from bench.ground import Ground
from bench.report import Report

OURS, CORE = "ours", "orchestrator-core, Celery, websockets off"


def steps_with_events(ground: Ground, report: Report, extent: Extent) -> None:
    """(g) The same work with task events, and Flower that reads them."""
    for _ in range(extent.runs):
        for name, contender in ((OURS, Ours()), (CORE, Core(websockets=False))):
            with contender.standing(ground, events=True) as one:
                report.add(f"(g) {name}, with task events", one.throughput(100, prefilled=True), "steps/s")
    report.ratio("steps_with_events_vs_oc", f"(g) {OURS}, with task events", f"(g) {CORE}, with task events")
