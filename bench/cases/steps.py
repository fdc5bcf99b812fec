"""(a) and (b): throughput and latency of processes of ten trivial steps. Who stands is measured in both, in turn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median

import bench.baselines
from bench.cases.extent import Extent
from bench.contenders import Contender, Responsive
from bench.contenders.celery_alone import CeleryAlone
from bench.contenders.commit_loop import CommitLoop
from bench.contenders.core import Core
from bench.contenders.core_threads import CoreThreads
from bench.contenders.dbos import Dbos
from bench.contenders.ours import Ours
from bench.ground import Ground
from bench.report import Report

OURS, BURST, CELERY, LOOP, DBOS = "ours", "ours, bursts", "Celery alone", "bare commit loop", "DBOS queue"
CORE_QUIET, CORE_DEFAULT = "orchestrator-core, Celery, websockets off", "orchestrator-core, Celery, websockets on"
THREADS_QUIET = "orchestrator-core, threadpool, websockets off"
THREADS_DEFAULT = "orchestrator-core, threadpool, websockets on"
CORES = (CORE_QUIET, CORE_DEFAULT, THREADS_QUIET, THREADS_DEFAULT)
BURST_SECONDS = 1.0
PREFILLED, LIVE = "queue filled before", "started while workers run"


@dataclass(frozen=True)
class Plan:
    """A contender, and what makes a run of it: one is faster than another, and the time is short.

    Attributes:
        contender: how it is set up.
        prefilled: processes of a run whose queue is filled before.
        live: processes of a run in which they are started while workers run; 0: no such run.
        latencies: processes one after the other on an idle system; 0: none.
    """

    contender: Contender
    prefilled: int
    live: int
    latencies: int


FULL: Mapping[str, Plan] = {
    OURS: Plan(Ours(), 200, 100, 12),
    CELERY: Plan(CeleryAlone(), 200, 100, 12),
    CORE_QUIET: Plan(Core(websockets=False), 200, 60, 12),
    BURST: Plan(Ours(burst=BURST_SECONDS), 200, 200, 12),
    LOOP: Plan(CommitLoop(), 400, 0, 12),
    DBOS: Plan(Dbos(), 100, 60, 0),
    CORE_DEFAULT: Plan(Core(websockets=True), 100, 30, 12),
    THREADS_QUIET: Plan(CoreThreads(websockets=False), 60, 0, 12),
    THREADS_DEFAULT: Plan(CoreThreads(websockets=True), 40, 0, 12),
}
QUICK: Mapping[str, Plan] = {
    OURS: Plan(Ours(), 100, 0, 8),
    CELERY: Plan(CeleryAlone(), 100, 0, 0),
    CORE_QUIET: Plan(Core(websockets=False), 60, 0, 8),
    BURST: Plan(Ours(burst=BURST_SECONDS), 200, 0, 8),
    LOOP: Plan(CommitLoop(), 400, 0, 0),
    DBOS: Plan(Dbos(), 60, 0, 0),
    CORE_DEFAULT: Plan(Core(websockets=True), 30, 0, 0),
}


def rate_of(name: str, form: str = PREFILLED) -> str:
    """The title of a throughput."""
    return f"(a) {name}, {form}"


def latency_of(name: str) -> str:
    """The title of a latency."""
    return f"(b) {name}, start to completed"


def steps(ground: Ground, report: Report, extent: Extent) -> None:
    """(a) Processes of 10 trivial steps, and (b) the time of one on an idle system."""
    plans = QUICK if extent.quick else FULL
    for _ in range(extent.runs):
        for name, plan in plans.items():
            _measure(ground, report, name, plan)
    make_ratios(report)
    report.notes += bench.baselines.remarks({name: report.figures(rate_of(name)).median for name in plans})


def _measure(ground: Ground, report: Report, name: str, plan: Plan) -> None:
    with plan.contender.standing(ground) as one:
        if plan.latencies and isinstance(one, Responsive):
            report.add(latency_of(name), median(one.latencies(plan.latencies)), "ms")
        report.add(rate_of(name), one.throughput(plan.prefilled, prefilled=True), "steps/s")
        if plan.live:
            report.add(rate_of(name, LIVE), one.throughput(plan.live, prefilled=False), "steps/s")


def make_ratios(report: Report) -> None:
    """Compare the same form of the work: the one in which the peer does better."""
    for ratio, mine, peer in (
        ("steps_vs_celery", OURS, (CELERY,)),
        ("steps_vs_oc_best", OURS, (CORE_QUIET,)),
        ("steps_vs_oc_default", OURS, (CORE_DEFAULT,)),
        ("steps_vs_dbos", OURS, (DBOS,)),
        ("burst_vs_commit_loop", BURST, (LOOP,)),
        ("burst_vs_oc_best", BURST, CORES),
    ):
        form, name = _better(report, peer)
        report.ratio(ratio, rate_of(mine, form), rate_of(name, form))
    best = report.best([latency_of(name) for name in CORES], lowest=True)
    report.ratio("latency_vs_oc_best", latency_of(OURS), best)
    report.ratio("burst_latency_vs_oc_best", latency_of(BURST), best)


def _better(report: Report, peers: tuple[str, ...]) -> tuple[str, str]:
    titles = {rate_of(name, form): (form, name) for name in peers for form in (PREFILLED, LIVE)}
    return titles[report.best(list(titles))]
