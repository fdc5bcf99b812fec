"""(f) Load and save of a subscription with many blocks, by the domain models of ours and of orchestrator-core."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median

from bench.cases.extent import Extent
from bench.contenders import core, ours
from bench.ground import REPOSITORY, Ground, program
from bench.orders import Orders, taking_orders
from bench.report import Report

OURS, CORE = "ours", "orchestrator-core"
# A save that has something to write for every block is the harder one for who writes only what changed.
LOAD, SAVE = "load", "save a value of each block changed"
# A root, interfaces, and two addresses of each; and how many subscriptions make a run.
SIZES, SIZES_IN_GROWTH = {10: 5, 100: 3}, {1000: 1}


def blocks(ground: Ground, report: Report, extent: Extent) -> None:
    """(f) Load and save of a subscription with 10 and 100 blocks; of growth: 1,000."""
    sizes = SIZES_IN_GROWTH if extent.growth else SIZES
    with _ours(ground) as ours_program, _core(ground) as core_program:
        programs = {OURS: ours_program, CORE: core_program}
        for one in programs.values():
            one.receive()
            one.give(3, 2)
        for _ in range(extent.runs):
            for size, subscriptions in sizes.items():
                for name, one in programs.items():
                    for what, seconds in one.give(size // 3, subscriptions).items():
                        title = title_of(name, what, size, growth=extent.growth)
                        report.add(title, 1000 * median(seconds), "ms")
    if not extent.growth:
        make_ratios(report)


def title_of(name: str, what: str, size: int, *, growth: bool = False) -> str:
    """The title of a figure."""
    return f"({'f, growth' if growth else 'f'}) {name}, {what}, {size:,} blocks"


def make_ratios(report: Report) -> None:
    """Larger is better: theirs over ours."""
    for ratio, what in (("load_100_blocks_vs_oc", LOAD), ("save_100_blocks_vs_oc", SAVE)):
        report.ratio(ratio, title_of(CORE, what, 100), title_of(OURS, what, 100))


@contextmanager
def _ours(ground: Ground) -> Iterator[Orders]:
    command = [sys.executable, "-m", "bench.programs.blocks_ours"]
    with ours.database(ground) as url:
        variables = ours.Ours().variables(ground, url, 2)
        with taking_orders(command, ground.folder / "ours-blocks.log", variables, REPOSITORY) as running:
            yield running


@contextmanager
def _core(ground: Ground) -> Iterator[Orders]:
    command, log = [core.python(), "-m", "core_blocks"], ground.folder / "core-blocks.log"
    with core.database(ground) as url:
        variables = core.settings(ground, url)
        with program([*command, "migrate"], log, variables, core.PROGRAMS) as migrating:
            if migrating.wait(120):
                raise RuntimeError(f"orchestrator-core: the product could not be made: {log.read_text()[-4000:]}")
        with taking_orders(command, log, variables, core.PROGRAMS) as running:
            yield running
