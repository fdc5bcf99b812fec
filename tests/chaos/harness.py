"""A run: the plant is built, the rounds are lived through, and the verdict is spoken."""

from __future__ import annotations

import math
import os
import random
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.chaos.evidence import gather
from tests.chaos.kinds import CUT, FAULTS
from tests.chaos.network import why_not
from tests.chaos.plan import Plan, Round
from tests.chaos.plant import running_plant
from tests.chaos.report import Report, too_slow
from tests.chaos.server_faults import answers
from tests.chaos.sight import Sight
from tests.chaos.storm import NoTargetError, Storm
from tests.chaos.verdict import judge

Say = Callable[[str], None]

_MEMORY = Path("/dev/shm")
_ENOUGH_MEMORY = 2_000_000_000
_END_PATIENCE = 120.0
_MOST_VIOLATIONS = 5


def run(plan: Plan, say: Say) -> Report:
    """Live through the storm. The folder with all logs is kept when something is not as it must be."""
    report = Report(plan, _folder())
    say(f"the logs are in {report.folder}")
    refused = why_not() if CUT in plan.kinds else None
    if refused is not None:
        report.not_run[CUT] = refused
        say(f"{CUT} is left out: {refused}")
    rounds = [each for each in plan.rounds() if each.kind not in report.not_run]
    with_network = any(each.kind == CUT for each in rounds)
    began = time.monotonic()
    with running_plant(report.folder, plan, with_network=with_network) as plant:
        sight = Sight(plant.database_url)
        storm = Storm(plant, sight, plan, random.Random(plan.seed))
        if plant.wait(lambda: answers(plant.api_url), 60):
            _live_through(storm, rounds, say)
            _speak(storm, report)
        else:
            storm.violations.append("the API never answered")
        sight.close()
    report.seconds = time.monotonic() - began
    report.violations = [*storm.violations, *_too_few(storm, rounds), *too_slow(report.recovery)]
    if not report.violations:
        shutil.rmtree(report.folder, ignore_errors=True)
    return report


def _speak(storm: Storm, report: Report) -> None:
    evidence = gather(
        storm.sight,
        storm.plant.lab_url,
        report.folder,
        storm.plan.processes,
        storm.started,
        storm.strikes,
    )
    storm.violations += judge(evidence)
    evidence.keep(report.folder)
    logs = [log.read_text(errors="replace") for log in sorted(report.folder.glob("*.log"))]
    report.figures = {
        "steps": sum(row["key"].startswith("step_") for row in evidence.step_rows),
        "strikes": len(storm.strikes),
        "extra_attempts": evidence.extra_attempts,
        "most_attempts_of_one_step": evidence.most_attempts,
        "tracebacks_in_logs": sum(log.count("Traceback") for log in logs),
    }
    for kind in report.plan.kinds:
        those = [strike for strike in storm.strikes if strike.kind == kind]
        if those:
            report.recovery[kind] = [strike.recovery for strike in those]
            report.settled[kind] = [strike.settled for strike in those]


def _folder() -> Path:
    in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_MEMORY
    return Path(tempfile.mkdtemp(prefix="orchestrator-chaos-", dir=_MEMORY if in_memory else None))


def _live_through(storm: Storm, rounds: Sequence[Round], say: Say) -> None:
    processes, missed = storm.plan.processes, []
    for number, what in enumerate(rounds, start=1):
        storm.allowed = math.ceil(processes * number / (len(rounds) + 1))
        if not _strike(storm, what, f"{number}/{len(rounds)}", say):
            missed.append(what)
        if len(storm.violations) > _MOST_VIOLATIONS:
            storm.violations.append("given up: too much is broken")
            return
    storm.allowed = processes
    for what in missed:
        _strike(storm, what, "again", say)
    storm.plant.wait(lambda: _all_started(storm) and storm.sight.spots() == {}, _END_PATIENCE, 0.2)
    storm.plant.wait(lambda: False, 1.0)


def _all_started(storm: Storm) -> bool:
    storm.release()
    return not storm.may_start()


def _strike(storm: Storm, what: Round, place: str, say: Say) -> bool:
    storm.dice, storm.other_way = storm.plan.dice(what), what.other_way
    storm.release()
    before = len(storm.violations)
    struck = False
    try:
        FAULTS[what.kind](storm)
        struck = True
    except NoTargetError:
        say(f"{place} {what.kind}: no step was claimed where it should strike")
    except Exception:  # noqa: BLE001 - whatever it is, the run ends with its table
        storm.violations.append(f"{what.kind}: the strike itself went wrong: {traceback.format_exc()}")
    else:
        strike = storm.strikes[-1]
        say(
            f"{place} {what.kind}: {strike.claims} claims, recovered in {strike.recovery:.2f} s, everything moved in "
            f"{strike.settled:.2f} s, {len(storm.started)} processes started"
        )
    for violation in storm.violations[before:]:
        say(f"   VIOLATION: {violation}")
    return struck


def _too_few(storm: Storm, rounds: Sequence[Round]) -> list[str]:
    counts = Counter(strike.kind for strike in storm.strikes if strike.claims)
    wanted = Counter(each.kind for each in rounds)
    return [
        f"{kind} struck {counts[kind]} times while a step was claimed, not {count}"
        for kind, count in wanted.items()
        if counts[kind] < count
    ]
