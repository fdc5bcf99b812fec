"""The plan of a run, its rounds, and its report."""

from __future__ import annotations

import math
import os
import random
import shutil
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos.faults import FAULTS, answers
from tests.chaos.network import why_not
from tests.chaos.plant import running_plant
from tests.chaos.sight import Sight
from tests.chaos.storm import NoTargetError, Storm
from tests.chaos.verdict import extra_attempts, judge

_MEMORY = Path("/dev/shm")
_ENOUGH_MEMORY = 2_000_000_000
_END_PATIENCE = 120.0
_CUT = "cut_network"


@dataclass(frozen=True)
class Plan:
    """What to do: everything that is random follows from the seed."""

    seed: int
    processes: int = 200
    strikes: int = 5
    kinds: tuple[str, ...] = tuple(FAULTS)
    workers: int = 3
    clocks: int = 2
    step_seconds: float = 0.5
    open_at_once: int = 9

    def rounds(self) -> list[str]:
        """The kinds of fault in the order in which they strike."""
        found = [kind for kind in self.kinds for _ in range(self.strikes)]
        random.Random(f"{self.seed}/rounds").shuffle(found)
        return found


@dataclass
class Report:
    """What came of it."""

    plan: Plan
    seconds: float = 0.0
    violations: list[str] = field(default_factory=list)
    recovery: dict[str, list[float]] = field(default_factory=dict)
    settled: dict[str, list[float]] = field(default_factory=dict)
    not_run: dict[str, str] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    folder: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """For `bench/results/chaos.json`; times in seconds."""
        return {
            "seed": self.plan.seed,
            "processes": self.plan.processes,
            "strikes_of_each_kind": self.plan.strikes,
            "seconds": round(self.seconds, 1),
            "recovery_seconds": {kind: _spread(times) for kind, times in sorted(self.recovery.items())},
            "everything_moved_seconds": {kind: _spread(times) for kind, times in sorted(self.settled.items())},
            "not_run": self.not_run,
            **self.figures,
            "violations": self.violations,
        }

    def table(self) -> str:
        """For a person."""
        lines = [
            f"seed {self.plan.seed}, {self.plan.processes} processes, {self.seconds:.0f} s, "
            + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.figures.items()),
            f"{'fault':<20}{'strikes':>8}{'minimum':>10}{'median':>10}{'maximum':>10}   everything moved (median, max)",
        ]
        for kind in self.plan.kinds:
            if kind in self.not_run:
                lines.append(f"{kind:<20}not run: {self.not_run[kind]}")
            elif times := self.recovery.get(kind):
                spread, all_of_it = _spread(times), _spread(self.settled[kind])
                columns = "".join(f"{spread[name]:>8.2f} s" for name in ("minimum", "median", "maximum"))
                lines.append(
                    f"{kind:<20}{len(times):>8}{columns}   {all_of_it['median']:.2f} s, {all_of_it['maximum']:.2f} s"
                )
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"VIOLATION: {each}" for each in self.violations] or ["no violation"]
        return "\n".join(lines)


def run(plan: Plan, say: Callable[[str], None]) -> Report:
    """Live through the storm. The folder with all logs is kept when something is not as it must be."""
    report = Report(plan)
    kinds = list(plan.kinds)
    refused = why_not() if _CUT in kinds else None
    if refused is not None:
        report.not_run[_CUT] = refused
    rounds = [kind for kind in plan.rounds() if kind not in report.not_run]
    in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-chaos-", dir=_MEMORY if in_memory else None))
    began = time.monotonic()
    with_network = _CUT in rounds
    with running_plant(folder, workers=plan.workers, clocks=plan.clocks, with_network=with_network) as plant:
        sight = Sight(plant.database_url)
        storm = Storm(
            plant,
            sight,
            random.Random(f"{plan.seed}/strikes"),
            plan.seed,
            plan.processes,
            plan.step_seconds,
            plan.open_at_once,
        )
        if not plant.wait(lambda: answers(plant.api_url), 60):
            storm.violations.append("the API never answered")
        else:
            _live_through(storm, rounds, say)
            storm.violations += judge(storm)
        sight.close()
        report.figures = {
            "steps": plan.processes * 10,
            "strikes": len(storm.strikes),
            "extra_attempts": extra_attempts(storm),
        }
        logs = sorted(folder.glob("*.log"))
        report.figures["tracebacks_in_logs"] = sum(log.read_text(errors="replace").count("Traceback") for log in logs)
        storm.violations += _too_few(storm, rounds)
    report.seconds = time.monotonic() - began
    report.violations, report.notes = storm.violations, storm.notes
    for strike in storm.strikes:
        report.recovery.setdefault(strike.kind, []).append(strike.recovery)
        report.settled.setdefault(strike.kind, []).append(strike.settled)
    if report.violations:
        report.folder = folder
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return report


def _live_through(storm: Storm, rounds: Sequence[str], say: Callable[[str], None]) -> None:
    missed: list[str] = []
    for number, kind in enumerate(rounds, start=1):
        storm.allowed = math.ceil(storm.processes * number / (len(rounds) + 1))
        if not _strike(storm, kind, f"{number}/{len(rounds)}", say):
            missed.append(kind)
        if len(storm.violations) > 5:
            storm.violations.append("given up: too much is broken")
            return
    storm.allowed = storm.processes
    for kind in missed:
        _strike(storm, kind, "again", say)
    storm.plant.wait(lambda: _all_started(storm) and storm.sight.spots() == {}, _END_PATIENCE, 0.2)
    storm.plant.wait(lambda: False, 1.0)


def _all_started(storm: Storm) -> bool:
    storm.release()
    return len(storm.started) == storm.processes


def _strike(storm: Storm, kind: str, place: str, say: Callable[[str], None]) -> bool:
    storm.release()
    before = len(storm.violations)
    try:
        FAULTS[kind](storm)
    except NoTargetError:
        say(f"{place} {kind}: no step was claimed where it should strike")
        return False
    strike = storm.strikes[-1]
    say(
        f"{place} {kind}: {strike.claims} claims, recovered in {strike.recovery:.2f} s, everything moved in "
        f"{strike.settled:.2f} s, {len(storm.started)} processes started"
    )
    for violation in storm.violations[before:]:
        say(f"   VIOLATION: {violation}")
    return True


def _too_few(storm: Storm, rounds: Sequence[str]) -> list[str]:
    counts = Counter(strike.kind for strike in storm.strikes if strike.claims)
    wanted = Counter(rounds)
    return [
        f"{kind} struck {counts[kind]} times while a step was claimed, not {count}"
        for kind, count in wanted.items()
        if counts[kind] < count
    ]


def _spread(times: Sequence[float]) -> dict[str, float]:
    return {
        "minimum": round(min(times), 2),
        "median": round(statistics.median(times), 2),
        "maximum": round(max(times), 2),
    }
