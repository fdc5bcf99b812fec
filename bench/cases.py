"""The cases, each with its contenders in turn (A B A B), so that what the machine does at a time strikes all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import click

from bench import posts, states
from bench.contenders import Contender, Load, Responsive
from bench.contenders.celery_alone import CeleryAlone
from bench.contenders.commit_loop import CommitLoop
from bench.contenders.core import Core
from bench.contenders.dbos import Dbos
from bench.contenders.ours import Ours
from bench.figures import Figures
from bench.ground import Ground
from bench.report import Report

C = TypeVar("C", bound=Contender)

OURS, CELERY, LOOP, DBOS = "ours", "Celery alone", "bare commit loop", "DBOS queue"
CORE_DEFAULT, CORE_QUIET = "orchestrator-core, websockets on", "orchestrator-core, websockets off"

# Steps a second, or milliseconds, that were seen before on such a machine; what lies 40% off is not compared.
BASELINES: Mapping[str, tuple[float, float]] = {
    CELERY: (510, 900),
    CORE_QUIET: (183, 285),
    CORE_DEFAULT: (98, 137),
    DBOS: (254, 302),
    LOOP: (3400, 3800),
}


def _responsive() -> dict[str, Responsive]:
    return {
        OURS: Ours(),
        CELERY: CeleryAlone(),
        CORE_QUIET: Core(websockets=False),
        CORE_DEFAULT: Core(websockets=True),
    }


def _contenders() -> dict[str, Contender]:
    return {**_responsive(), DBOS: Dbos(), LOOP: CommitLoop()}


def throughput(ground: Ground, report: Report, runs: int) -> None:
    """(a) 200 processes of 10 trivial steps; and (g) the same with task events and Flower."""
    prefilled = _interleaved(_contenders(), runs, lambda one: one.throughput(ground, Load()), "steps/s")
    live = _interleaved(
        {name: one for name, one in _contenders().items() if name != LOOP},
        runs,
        lambda one: one.throughput(ground, Load(prefilled=False)),
        "steps/s, started while workers run",
    )
    for name, found in prefilled.items():
        report.figures[f"(a) {name}, queue filled before"] = found, "steps/s"
        _note_what_is_off(report, name, found)
    for name, found in live.items():
        report.figures[f"(a) {name}, started while workers run"] = found, "steps/s"
    best = max(found.median for found in (prefilled[CORE_QUIET], live[CORE_QUIET]))
    better = prefilled if prefilled[CORE_QUIET].median == best else live
    report.ratios["steps_vs_celery"] = prefilled[OURS].over(prefilled[CELERY])
    report.ratios["steps_vs_oc_best"] = better[OURS].over(better[CORE_QUIET])
    report.ratios["steps_vs_oc_default"] = better[OURS].over(better[CORE_DEFAULT])
    report.ratios["steps_vs_dbos"] = prefilled[OURS].over(prefilled[DBOS])


def throughput_with_events(ground: Ground, report: Report, runs: int) -> None:
    """(g) With task events, and Flower that reads them."""
    some = {name: one for name, one in _contenders().items() if name in (OURS, CORE_QUIET)}
    found = _interleaved(some, runs, lambda one: one.throughput(ground, Load(events=True)), "steps/s with events")
    for name, figures in found.items():
        report.figures[f"(g) {name}, with task events and Flower"] = figures, "steps/s"
    report.ratios["steps_with_events_vs_oc"] = found[OURS].over(found[CORE_QUIET])


def latency(ground: Ground, report: Report, runs: int) -> None:
    """(b) From the start to the end of one process on an idle system."""
    found = _interleaved(_responsive(), runs, lambda one: Figures.of(one.latency(ground, 20)).median, "ms")
    for name, figures in found.items():
        report.figures[f"(b) {name}, start to completed"] = figures, "ms"
    report.ratios["latency_vs_oc_best"] = found[OURS].over(found[CORE_QUIET])


def starts(ground: Ground, report: Report, runs: int) -> None:
    """(c) Requests that start a process, by one client and by eight."""
    per_cpu: dict[str, list[float]] = {}
    found: dict[str, list[float]] = {}
    for _ in range(runs):
        for name, serving in posts.SERVERS.items():
            with serving(ground) as server:
                posts.measure(server, 1, 40)
                for clients in (1, 8):
                    one = posts.measure(server, clients, 400)
                    click.echo(f"  {name}, {clients} clients: {one.per_second:.0f}/s, {one.milliseconds:.1f} ms")
                    found.setdefault(f"(c) {name}, {clients} clients, requests a second", []).append(one.per_second)
                    found.setdefault(f"(c) {name}, {clients} clients, median time in ms", []).append(one.milliseconds)
                    if clients == 8:
                        per_cpu.setdefault(name, []).append(one.per_cpu_second)
    for name, values in found.items():
        report.figures[name] = Figures.of(values), ""
    for name, values in per_cpu.items():
        report.figures[f"(c) {name}, requests for each second of CPU"] = Figures.of(values), "/s"
    report.ratios["post_per_cpu_vs_oc"] = Figures.of(per_cpu["ours"]).over(Figures.of(per_cpu["orchestrator-core"]))


def state_sizes(ground: Ground, report: Report, runs: int) -> None:
    """(d) States of 1, 10 and 100 kB over 10 and 100 steps."""
    ours: dict[tuple[int, int], list[states.StateCost]] = {}
    theirs: dict[tuple[int, int], list[states.StateCost]] = {}
    for _ in range(runs):
        for steps in (10, 100):
            for kilobytes in (1, 10, 100):
                processes = 200 // steps
                ours.setdefault((kilobytes, steps), []).append(states.ours_with(ground, kilobytes, steps, processes))
                theirs.setdefault((kilobytes, steps), []).append(states.core_with(ground, kilobytes, steps, processes))
    for name, costs in (("ours", ours), ("orchestrator-core", theirs)):
        for (kilobytes, steps), each in costs.items():
            title = f"(d) {name}, {kilobytes} kB, {steps} steps"
            report.figures[f"{title}: time for each step"] = (
                Figures.of([one.milliseconds_per_step for one in each]),
                "ms",
            )
            report.figures[f"{title}: stored"] = Figures.of([one.bytes_stored for one in each]), "bytes"
    stored = [Figures.of([one.bytes_stored for one in costs[100, 100]]) for costs in (ours, theirs)]
    report.ratios["bytes_100_steps_100kb_vs_oc"] = stored[0].over(stored[1])
    times = [Figures.of([one.milliseconds_per_step for one in ours[size, 100]]) for size in (100, 1)]
    report.ratios["step_time_100kb_vs_1kb"] = times[0].over(times[1])


def _interleaved(
    contenders: Mapping[str, C], runs: int, measure: Callable[[C], float], unit: str
) -> dict[str, Figures]:
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(runs):
        for name, contender in contenders.items():
            found[name].append(measure(contender))
            click.echo(f"  {name}: {found[name][-1]:.1f} {unit}")
    return {name: Figures.of(values) for name, values in found.items()}


def _note_what_is_off(report: Report, name: str, found: Figures) -> None:
    if name in BASELINES:
        low, high = BASELINES[name]
        if not 0.6 * low <= found.median <= 1.4 * high:
            report.notes.append(
                f"{name}: {found.median:.0f} steps/s is more than 40% off what was seen before ({low:g} to {high:g}); "
                "not comparable before the reason is known"
            )
