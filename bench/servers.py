"""Web servers, each as its documentation starts it, and a client whose connection stays open."""

from __future__ import annotations

import http.client
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass

from bench.contenders import core, ours
from bench.ground import REPOSITORY, Ground, program, wait_for
from orchestrator.cli.demo import free_ports
from orchestrator.embedded.child_processes import children_of
from orchestrator.embedded.procfile import read_procfile


@dataclass(frozen=True)
class Server:
    """One that answers."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Used so far, with its children."""
        return _cpu_seconds(self.pid)


Serving = Callable[[Ground, str], AbstractContextManager[Server]]


@contextmanager
def our_server(ground: Ground, url: str) -> Iterator[Server]:
    """This project's web process, by the command of its Procfile."""
    (port,) = free_ports(1)
    variables = ours.Ours().variables(ground, url, 2) | {"ORCHESTRATOR_PORT": str(port)}
    command = {one.name: one.command for one in read_procfile(REPOSITORY / "Procfile")}["web"]
    log = ground.folder / "ours-web.log"
    with program(["/bin/sh", "-c", f"exec {command}"], log, variables, REPOSITORY) as web:
        wait_for(lambda: answers(port, "/api/health/ready"), 60, "our web server does not answer", 0.2)
        yield Server(port, web.pid)


@contextmanager
def core_server(ground: Ground, url: str) -> Iterator[Server]:
    """That of orchestrator-core, under uvicorn, as its documentation starts it."""
    (port,) = free_ports(1)
    command = [core.python(), "-m", "uvicorn", "core_web:application", "--port", str(port), "--log-level", "warning"]
    with program(command, ground.folder / "core-web.log", core.settings(ground, url), core.PROGRAMS) as web:
        wait_for(lambda: answers(port, "/api/health/"), 90, "the web server of orchestrator-core does not answer", 0.2)
        yield Server(port, web.pid)


SERVERS: Mapping[str, Serving] = {"ours": our_server, "orchestrator-core": core_server}


class Client:
    """A connection that stays open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)

    def get(self, path: str) -> float:
        """Seconds until the whole answer was there."""
        return self._request("GET", path, None, 200)

    def post(self, path: str, body: bytes) -> float:
        """The same of a request that makes something."""
        return self._request("POST", path, body, 201)

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def _request(self, method: str, path: str, body: bytes | None, wanted: int) -> float:
        began = time.perf_counter()
        self._connection.request(method, path, body, {} if body is None else {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        said = answer.read()
        took = time.perf_counter() - began
        if answer.status != wanted:
            raise RuntimeError(f"{method} {path} was answered with {answer.status}: {said[:1000]!r}")
        return took


def answers(port: int, path: str) -> bool:
    """Whether a server is up."""
    with closing(Client(port)) as client:
        try:
            client.get(path)
        except (OSError, RuntimeError, http.client.HTTPException):
            return False
    return True


def _cpu_seconds(pid: int) -> float:
    fields = open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()  # noqa: PTH123, SIM115
    own = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return own + sum(_cpu_seconds(child) for child in children_of(pid))
