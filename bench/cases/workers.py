"""(h) and (i): memory of a worker's children after many steps, and throughput with one and with more of them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bench.cases.extent import Extent
from bench.contenders.core import Core
from bench.contenders.ours import Ours
from bench.contenders.tabled import Tabled
from bench.ground import Ground
from bench.report import Report
from orchestrator.embedded.child_processes import children_of

OURS, CORE = "ours", "orchestrator-core, Celery, websockets off"
CONTENDERS: Mapping[str, Ours | Core] = {OURS: Ours(), CORE: Core(websockets=False)}
CHILDREN = (1, 2, 4)
# The peer's memory is at its height after the first steps, and it takes its time for more.
PROCESSES = {OURS: 1000, CORE: 300}


def memory(ground: Ground, report: Report, _: Extent) -> None:
    """(h) Memory of each of two worker children, warm and after 10,000 steps in all. Each child is one of the runs."""
    for name, contender in CONTENDERS.items():
        with contender.standing(ground) as one:
            _add_memory(report, f"(h) {name}, warm", one)
            one.throughput(PROCESSES[name], prefilled=False)
            _add_memory(report, f"(h) {name}, after {PROCESSES[name] * 10:,} steps", one)


def _add_memory(report: Report, title: str, one: Tabled) -> None:
    for child in (child for pid in one.running for child in children_of(pid)):
        for what, kilobytes in memory_of(Path(f"/proc/{child}")).items():
            report.add(f"{title}, {what}", kilobytes / 1024, "MB")


def memory_of(process: Path) -> dict[str, int]:
    """Kilobytes of a process by its folder in `/proc`: resident, and with what it shares divided among those who do."""
    lines = (process / "smaps_rollup").read_text().splitlines()
    found = {words[0]: int(words[1]) for words in map(str.split, lines) if len(words) == 3 and words[2] == "kB"}
    return {"RSS": found["Rss:"], "PSS": found["Pss:"]}


def more_children(ground: Ground, report: Report, extent: Extent) -> None:
    """(i) Throughput with 1, 2 and 4 children."""
    for _ in range(min(extent.runs, 2)):
        for children in CHILDREN:
            for name, contender in CONTENDERS.items():
                with contender.standing(ground, children=children) as one:
                    title = f"(i) {name}, {children} {'child' if children == 1 else 'children'}"
                    report.add(title, one.throughput(60, prefilled=True), "steps/s")
