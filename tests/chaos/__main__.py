"""`make chaos`: everything is killed, cut and restarted under load; exits with 1 when anything was lost or repeated."""

from __future__ import annotations

import argparse
import json
import secrets
import sys
from pathlib import Path

import click

from tests.chaos.faults import FAULTS
from tests.chaos.harness import Plan, run

_RESULTS = Path(__file__).parents[2] / "bench/results/chaos.json"


def main() -> int:
    """Run once; 1 on any violation."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, help="repeats the plan of an earlier run")
    parser.add_argument("--processes", type=int, default=200)
    parser.add_argument("--strikes", type=int, default=5, help="of each kind of fault")
    parser.add_argument("--kinds", default=",".join(FAULTS), help="with commas between them")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--results", type=Path, default=_RESULTS)
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    kinds = tuple(given.kinds.split(","))
    unknown = [kind for kind in kinds if kind not in FAULTS]
    if unknown:
        parser.error(f"no such fault: {', '.join(unknown)}; there are {', '.join(FAULTS)}")
    click.echo(f"seed {seed} (make chaos SEED={seed} repeats it)")
    plan = Plan(seed, given.processes, given.strikes, kinds, given.workers)
    report = run(plan, lambda line: click.echo(line))
    click.echo(report.table())
    given.results.parent.mkdir(parents=True, exist_ok=True)
    given.results.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    if report.folder is not None:
        click.echo(f"the logs are in {report.folder}")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
