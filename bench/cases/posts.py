"""(c) Requests that start a process: how many for each second of the web server's CPU, and how long one takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from statistics import median

from bench.cases.extent import Extent
from bench.contenders import core, ours
from bench.ground import Ground
from bench.report import Report
from bench.servers import SERVERS, Client, Server

_PATH = "/api/processes/bench_trivial"
_DATABASES: Mapping[str, Callable[[Ground], AbstractContextManager[str]]] = {
    "ours": ours.database,
    "orchestrator-core": core.database,
}


@dataclass(frozen=True)
class Posts:
    """What one run gave.

    Attributes:
        per_cpu_second: requests for each second of CPU that the web server used.
        per_second: requests a second.
        milliseconds: the median time of one.
    """

    per_cpu_second: float
    per_second: float
    milliseconds: float


def starts(ground: Ground, report: Report, extent: Extent) -> None:
    """(c) Requests that start a process, by one client and by eight."""
    for _ in range(extent.runs):
        for name, serving in SERVERS.items():
            ground.empty_broker()
            with _DATABASES[name](ground) as url, serving(ground, url) as server:
                measure(server, 1, 40)
                for clients in (1, 8):
                    one = measure(server, clients, 200 if extent.quick else 400)
                    title = f"(c) {name}, {clients} {'client' if clients == 1 else 'clients'}"
                    report.add(f"{title}, requests a second", one.per_second, "/s")
                    report.add(f"{title}, median time", one.milliseconds, "ms")
                    report.add(f"{title}, requests for each second of CPU", one.per_cpu_second, "/s")
    title = "8 clients, requests for each second of CPU"
    report.ratio("post_per_cpu_vs_oc", f"(c) ours, {title}", f"(c) orchestrator-core, {title}")


def measure(server: Server, clients: int, requests: int) -> Posts:
    """So many requests by so many clients, each with a connection that stays open."""
    share = requests // clients
    before, began = server.cpu_seconds(), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        took = [seconds for part in pool.map(lambda _: _client(server.port, share), range(clients)) for seconds in part]
    elapsed, used = time.perf_counter() - began, server.cpu_seconds() - before
    return Posts(share * clients / used, share * clients / elapsed, 1000 * median(took))


def _client(port: int, requests: int) -> list[float]:
    with closing(Client(port)) as client:
        return [client.post(_PATH, b"[{}]") for _ in range(requests)]
