"""`make bench`: all cases; `make bench-quick`: the ratios of (a) to (c), in short; `make bench-growth`: large sizes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence

import click

from bench import results, shown
from bench.cases.blocks import blocks
from bench.cases.events import steps_with_events
from bench.cases.extent import Case, Extent
from bench.cases.lists import lists
from bench.cases.posts import starts
from bench.cases.states import state_sizes
from bench.cases.steps import steps
from bench.cases.workers import memory, more_children
from bench.ground import ground
from bench.report import Report

LATEST, GROWTH_RESULTS = results.FOLDER / "latest.json", results.FOLDER / "growth.json"
CASES: Mapping[str, Case] = {
    "steps": steps,
    "starts": starts,
    "states": state_sizes,
    "lists": lists,
    "blocks": blocks,
    "events": steps_with_events,
    "memory": memory,
    "children": more_children,
}
QUICK = ("steps", "starts")
ONE_RUN = "One run of each: noise alone can make a goal reached or missed; `make bench RUNS=5` tells more."
GROWTH = ("lists", "blocks")


def main() -> None:
    """Measure, print, write `bench/results/latest.json`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    extent = parser.add_mutually_exclusive_group()
    extent.add_argument("--quick", action="store_true", help="one short run of the main cases; writes quick.json")
    extent.add_argument(
        "--growth", action="store_true", help="sizes that take minutes to make; writes growth.json, too"
    )
    extent.add_argument("--tables", action="store_true", help="measure nothing, print the tables of the documentation")
    parser.add_argument("--runs", type=_at_least_one, help="of each contender in each case; 3, and 1 with --quick")
    parser.add_argument("--cases", help=f"with commas between them; all of {','.join(CASES)}")
    given = parser.parse_args()
    if given.tables:
        found = results.read(LATEST)
        if not found:
            parser.error(f"nothing was measured here yet: {LATEST} is made by `make bench`")
        click.echo("\n".join(shown.markdown(found)))
        return
    usual = QUICK if given.quick else GROWTH if given.growth else tuple(CASES)
    chosen = given.cases.split(",") if given.cases else usual
    unknown = [name for name in chosen if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    _measure(chosen, Extent(given.runs or (1 if given.quick else 3), quick=given.quick, growth=given.growth))


def _at_least_one(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of runs; 1 at least")
    return int(text)


def _measure(chosen: Sequence[str], extent: Extent) -> None:
    report = Report()
    with ground() as here:
        for name in chosen:
            click.echo(CASES[name].__doc__)
            began = time.monotonic()
            CASES[name](here, report, extent)
            click.echo(f"  {name} took {time.monotonic() - began:.0f} s")
    now = results.results_of(report, results.measured_now())
    click.echo("\n" + "\n".join(shown.table(now)))
    if extent.runs == 1:
        click.echo(ONE_RUN)
    if extent.quick:
        results.save(now, results.FOLDER / "quick.json")
        return
    for path in (GROWTH_RESULTS, LATEST) if extent.growth else (LATEST,):
        results.save(results.merged(results.read(path), now), path)


if __name__ == "__main__":
    main()
