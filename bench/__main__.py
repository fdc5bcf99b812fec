"""`make bench`: all cases; `make bench-quick`: the ratios of throughput, latency and starts, in a short form."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

import click

from bench import cases
from bench.ground import Ground, ground
from bench.report import RESULTS, Report

CASES: Mapping[str, Callable[[Ground, Report, int], None]] = {
    "throughput": cases.throughput,
    "latency": cases.latency,
    "starts": cases.starts,
    "states": cases.state_sizes,
    "events": cases.throughput_with_events,
}
QUICK = ("throughput", "latency", "starts")


def main() -> None:
    """Measure, print, write `bench/results/latest.json`."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of the main cases")
    parser.add_argument("--runs", type=int, default=3, help="of each contender in each case")
    parser.add_argument("--cases", default=",".join(CASES), help="with commas between them")
    given = parser.parse_args()
    chosen = QUICK if given.quick else tuple(given.cases.split(","))
    unknown = [name for name in chosen if name not in CASES]
    if unknown:
        parser.error(f"no such case: {', '.join(unknown)}; there are {', '.join(CASES)}")
    report = Report()
    with ground() as here:
        for name in chosen:
            case = CASES[name]
            click.echo(case.__doc__)
            case(here, report, 1 if given.quick else given.runs)
    report.show()
    report.save(RESULTS / ("quick.json" if given.quick else "latest.json"))


if __name__ == "__main__":
    main()
