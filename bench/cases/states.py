"""(d) What a large state costs: time for each step, and bytes stored, over 10 and 100 steps."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import LiteralString

from bench.cases.extent import Extent
from bench.contenders.core import Core
from bench.contenders.ours import Ours
from bench.contenders.tabled import Tabled
from bench.ground import Ground
from bench.report import Report

KILOBYTES = (1, 10, 100)
# How many processes of so many steps make a run.
PROCESSES = {10: 20, 100: 4}

# What is stored of one process, compressed as the server does it, without the space between rows. Of a process that has
# ended, ours keeps no large state in its row: what tells it is counted here, in its steps and in where it began.
_OUR_BYTES = """
SELECT (SELECT sum(coalesce(pg_column_size(state), 0) + pg_column_size(recent)) FROM processes)
     + (SELECT sum(pg_column_size(delta) + pg_column_size(removed)) FROM process_steps)
     + (SELECT sum(pg_column_size(state)) FROM process_starts)
     + (SELECT coalesce(sum(pg_column_size(pages)), 0) FROM process_inputs)
"""
_CORE_BYTES = """
SELECT (SELECT sum(pg_column_size(state)) FROM process_steps)
     + (SELECT sum(pg_column_size(input_state)) FROM input_states)
"""


@dataclass(frozen=True)
class _Stored:
    contender: Ours | Core
    statement: LiteralString

    def standing(self, ground: Ground) -> AbstractContextManager[Tabled]:
        return self.contender.standing(ground)


_CONTENDERS: Mapping[str, _Stored] = {
    "ours": _Stored(Ours(), _OUR_BYTES),
    "orchestrator-core": _Stored(Core(websockets=False), _CORE_BYTES),
}


def state_sizes(ground: Ground, report: Report, extent: Extent) -> None:
    """(d) States of 1, 10 and 100 kB over 10 and 100 steps."""
    for _ in range(extent.runs):
        for name, stored in _CONTENDERS.items():
            with stored.standing(ground) as one:
                for steps in PROCESSES:
                    for kilobytes in KILOBYTES:
                        _measure(report, _title(name, kilobytes, steps), one, stored.statement, kilobytes, steps)
    report.ratio(
        "bytes_100_steps_100kb_vs_oc",
        f"{_title('ours', 100, 100)}, stored",
        f"{_title('orchestrator-core', 100, 100)}, stored",
    )
    report.ratio(
        "step_time_100kb_vs_1kb",
        f"{_title('ours', 100, 100)}, time for each step",
        f"{_title('ours', 1, 100)}, time for each step",
    )


def _title(name: str, kilobytes: int, steps: int) -> str:
    return f"(d) {name}, {kilobytes} kB, {steps} steps"


def _measure(report: Report, title: str, one: Tabled, statement: LiteralString, kilobytes: int, steps: int) -> None:
    processes = PROCESSES[steps]
    before = one.value(statement)
    rate = one.rate(f"bench_state_{kilobytes}_{steps}", processes, prefilled=False)
    report.add(f"{title}, time for each step", 1000 / rate, "ms")
    report.add(f"{title}, stored", (one.value(statement) - before) / processes, "bytes")
