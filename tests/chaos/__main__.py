"""`make chaos`: everything is killed, cut and restarted under load; exits with 1 when anything was lost or repeated."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from tests.chaos.harness import run
from tests.chaos.kinds import FAULTS
from tests.chaos.plan import Plan
from tests.chaos.report import Report, Total

_RESULTS = Path(__file__).parents[2] / "bench/results/chaos.json"


def main(words: Sequence[str] | None = None) -> int:
    """Run once, or once for each seed; 1 on any violation."""
    given = _read(words)
    reports: list[Report] = []
    given.results.parent.mkdir(parents=True, exist_ok=True)
    for seed in given.seed:
        click.echo(f"seed {seed} (make chaos SEED={seed} repeats it)")
        reports.append(run(Plan(seed, given.kinds, given.processes, given.strikes, given.workers), click.echo))
        click.echo(reports[-1].text())
        # After each run, so that a driver that is stopped has told what it saw.
        told = reports[0].as_json() if len(given.seed) == 1 else Total(reports).as_json()
        given.results.write_text(json.dumps(told, indent=2) + "\n")
    total = Total(reports)
    if len(reports) > 1:
        click.echo(total.text())
    return 1 if total.violations else 0


def _read(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument(
        "--seed", type=_seeds, help="repeats the plan of an earlier run; 1-10: ten runs, one after another"
    )
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--strikes", type=int, default=5, help="of each kind of fault")
    parser.add_argument("--kinds", type=_kinds, default=tuple(FAULTS), help="with commas between them")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--results", type=Path, default=_RESULTS)
    given = parser.parse_args(words)
    given.seed = given.seed or [secrets.randbelow(1_000_000)]
    return given


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


def _kinds(text: str) -> tuple[str, ...]:
    kinds = tuple(text.split(","))
    unknown = [kind for kind in kinds if kind not in FAULTS]
    if unknown:
        raise argparse.ArgumentTypeError(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    return kinds


if __name__ == "__main__":
    sys.exit(main())
