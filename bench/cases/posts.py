"""Requests that start a process: how many for each second of the web server's CPU, and how long one takes."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from statistics import median

from bench.cases.extent import Extent
from bench.contenders import core, ours
from bench.ground import REPOSITORY, Ground, program, wait_for
from bench.report import Report
from orchestrator.cli.demo import free_ports
from orchestrator.embedded.child_processes import children_of
from orchestrator.embedded.procfile import read_procfile

_PATH = "/api/processes/bench_trivial"


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


@dataclass(frozen=True)
class _Server:
    port: int
    pid: int


Serving = Callable[[Ground], AbstractContextManager[_Server]]


@contextmanager
def our_server(ground: Ground) -> Iterator[_Server]:
    """This project's web process, by the command of its Procfile."""
    (port,) = free_ports(1)
    ground.empty_broker()
    with ours.database(ground) as url:
        variables = ours.Ours().variables(ground, url, 2) | {"ORCHESTRATOR_PORT": str(port)}
        command = {one.name: one.command for one in read_procfile(REPOSITORY / "Procfile")}["web"]
        log = ground.folder / "ours-web.log"
        with program(["/bin/sh", "-c", f"exec {command}"], log, variables, REPOSITORY) as web:
            wait_for(lambda: _post(port) == 201, 60, "our web server does not answer", 0.2)
            yield _Server(port, web.pid)


@contextmanager
def core_server(ground: Ground) -> Iterator[_Server]:
    """The peer's, under uvicorn, as its documentation starts it."""
    (port,) = free_ports(1)
    ground.empty_broker()
    with core.database(ground) as url:
        variables = core.settings(ground, url)
        command = [
            core.python(),
            "-m",
            "uvicorn",
            "core_web:application",
            "--port",
            str(port),
            "--log-level",
            "warning",
        ]
        with program(command, ground.folder / "core-web.log", variables, core.PROGRAMS) as web:
            wait_for(lambda: _post(port) == 201, 90, "the web server of orchestrator-core does not answer", 0.2)
            yield _Server(port, web.pid)


SERVERS: dict[str, Serving] = {"ours": our_server, "orchestrator-core": core_server}


def starts(ground: Ground, report: Report, extent: Extent) -> None:
    """(c) Requests that start a process, by one client and by eight."""
    for _ in range(extent.runs):
        for name, serving in SERVERS.items():
            with serving(ground) as server:
                measure(server, 1, 40)
                for clients in (1, 8):
                    one = measure(server, clients, 200 if extent.quick else 400)
                    title = f"(c) {name}, {clients} {'client' if clients == 1 else 'clients'}"
                    report.add(f"{title}, requests a second", one.per_second, "/s")
                    report.add(f"{title}, median time", one.milliseconds, "ms")
                    report.add(f"{title}, requests for each second of CPU", one.per_cpu_second, "/s")
    title = "8 clients, requests for each second of CPU"
    report.ratio("post_per_cpu_vs_oc", f"(c) ours, {title}", f"(c) orchestrator-core, {title}")


def measure(server: _Server, clients: int, requests: int) -> Posts:
    """So many requests by so many clients, each with a connection that stays open."""
    share = requests // clients
    before, began = _cpu_seconds(server.pid), time.perf_counter()
    with ThreadPoolExecutor(clients) as pool:
        took = [seconds for part in pool.map(lambda _: _client(server.port, share), range(clients)) for seconds in part]
    elapsed, used = time.perf_counter() - began, _cpu_seconds(server.pid) - before
    return Posts(share * clients / used, share * clients / elapsed, 1000 * median(took))


def _client(port: int, requests: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    took = []
    for _ in range(requests):
        began = time.perf_counter()
        status = _request(connection)
        took.append(time.perf_counter() - began)
        if status != 201:
            raise RuntimeError(f"a request was answered with {status}")
    connection.close()
    return took


def _post(port: int) -> int:
    try:
        return _request(http.client.HTTPConnection("127.0.0.1", port, timeout=10))
    except OSError:
        return 0


def _request(connection: http.client.HTTPConnection) -> int:
    connection.request("POST", _PATH, b"[{}]", {"Content-Type": "application/json"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def _cpu_seconds(pid: int) -> float:
    """Of a process and its descendants."""
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()  # noqa: PTH123, SIM115
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_cpu_seconds(child) for child in children_of(pid))
