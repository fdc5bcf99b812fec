"""(e) First page and detail of processes, with few and with many that have ended."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from statistics import median
from typing import LiteralString

import click
import psycopg

from bench import core_history, history
from bench.cases.extent import Extent
from bench.contenders import core, ours
from bench.ground import Ground
from bench.report import Report
from bench.servers import SERVERS, Client

FEW, SOME, MANY = 1_000, 100_000, 1_000_000
# Rows of steps of each process. A million processes of ten are ten million rows, which take long to make.
STEPS, STEPS_IN_GROWTH = 10, 3
REQUESTS = 15
PAGE, BY_STATUS, FAILED, DETAIL = "first page", "first page of those completed", "first page of those failed", "detail"


@dataclass(frozen=True)
class _Asked:
    """A contender, filled, and what it is asked for; `{}` in `detail` is the id of a process."""

    database: Callable[[Ground], AbstractContextManager[str]]
    fill: Callable[[str, int, int], None]
    ids: LiteralString
    lists: Mapping[str, str]
    detail: str


# Pages of 20 processes, newest first. Of those that failed, pages of 10: there are no more among 1,000.
_ASKED: Mapping[str, _Asked] = {
    "ours": _Asked(
        ours.database,
        history.fill,
        "SELECT process_id FROM processes WHERE status = 'completed' ORDER BY random() LIMIT %s",
        {
            PAGE: "/api/processes/",
            BY_STATUS: "/api/processes/?filter=status,completed",
            FAILED: "/api/processes/?filter=status,failed&page_size=10",
        },
        "/api/processes/{}",
    ),
    "orchestrator-core": _Asked(
        core.database,
        core_history.fill,
        "SELECT pid FROM processes WHERE last_status = 'completed' ORDER BY random() LIMIT %s",
        {
            PAGE: "/api/processes/?range=0,20&sort=startedAt,desc",
            BY_STATUS: "/api/processes/?range=0,20&sort=startedAt,desc&filter=lastStatus,completed",
            FAILED: "/api/processes/?range=0,10&sort=startedAt,desc&filter=lastStatus,failed",
        },
        "/api/processes/{}",
    ),
}


def lists(ground: Ground, report: Report, extent: Extent) -> None:
    """(e) First page and detail, with 1,000 processes and with 100,000; of growth: 1,000,000."""
    sizes, steps = ((FEW, MANY), STEPS_IN_GROWTH) if extent.growth else ((FEW, SOME), STEPS)
    whose = [(name, size) for name in _ASKED for size in sizes]
    with ExitStack() as stack:
        urls = {one: stack.enter_context(_ASKED[one[0]].database(ground)) for one in whose}
        click.echo(f"  processes of {steps} steps are being written")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda one: _ASKED[one[0]].fill(urls[one], one[1], steps), reversed(whose)))
        standing = {one: stack.enter_context(_standing(ground, one[0], urls[one])) for one in whose}
        for _ in range(extent.runs):
            for (name, size), ask in standing.items():
                for what, milliseconds in ask().items():
                    report.add(title_of(name, what, size, growth=extent.growth), milliseconds, "ms")
    if extent.growth:
        make_ratio(report)


def title_of(name: str, what: str, size: int, *, growth: bool) -> str:
    """The title of a figure."""
    return f"({'e, growth' if growth else 'e'}) {name}, {what}, {size:,} processes"


def make_ratio(report: Report) -> None:
    """The worst of pages and detail: what became slowest when the table grew."""
    grown = [
        report.figures(title_of("ours", what, MANY, growth=True)).over(
            report.figures(title_of("ours", what, FEW, growth=True))
        )
        for what in (PAGE, BY_STATUS, FAILED, DETAIL)
    ]
    report.ratios["list_time_1m_vs_1k"] = max(grown, key=lambda ratio: ratio.median)


@contextmanager
def _standing(ground: Ground, name: str, url: str) -> Iterator[Callable[[], dict[str, float]]]:
    """Serve, and yield what measures once: the median time of each request, in milliseconds."""
    asked = _ASKED[name]
    with SERVERS[name](ground, url) as server:

        def ask() -> dict[str, float]:
            # A server does not keep a connection on which nothing comes while the others have their turn.
            with closing(Client(server.port)) as client:
                found = {what: _median(client, [path] * REQUESTS) for what, path in asked.lists.items()}
                return found | {DETAIL: _median(client, [asked.detail.format(one) for one in _ids(url, asked.ids)])}

        ask()  # it connects, plans, and fills its caches
        yield ask


def _ids(url: str, statement: LiteralString) -> list[str]:
    with psycopg.connect(url) as connection:
        return [str(row[0]) for row in connection.execute(statement, [REQUESTS])]


def _median(client: Client, paths: list[str]) -> float:
    return 1000 * median(client.get(path) for path in paths)
