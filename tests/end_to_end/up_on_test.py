"""Runs `orchestrator up` for tests, as a person does: a process in a folder."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.cli.demo import free_ports
from orchestrator.embedded.child_processes import children_of


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "orchestrator", *words]


def clean_environment(**more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "FLOWER_"))}
    return kept | more


def wait_until(what: Callable[[], bool], seconds: float, failure: str) -> None:
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, failure
        time.sleep(0.05)


def descendants(pid: int) -> set[int]:
    direct = children_of(pid)
    return set(direct).union(*(descendants(child) for child in direct))


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in status_of(pid)}


def status_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return "\nState:\tZ"


@dataclass
class Running:
    """An `orchestrator up` of a test."""

    process: subprocess.Popen[bytes]
    folder: Path
    environment: dict[str, str]
    log: Path

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.environment['ORCHESTRATOR_PORT']}"

    @property
    def flower(self) -> str:
        return f"http://127.0.0.1:{self.environment['ORCHESTRATOR_FLOWER_PORT']}"

    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words), cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=60
        )

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, self.output()
            return "The orchestrator is ready." in self.output()

        wait_until(ready, 60, f"not ready: {self.output()}")


def start(folder: Path, **more: str) -> Running:
    web, flower = free_ports(2)
    environment = clean_environment(ORCHESTRATOR_PORT=str(web), ORCHESTRATOR_FLOWER_PORT=str(flower), **more)
    log = folder / "up.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command("up"), cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    return Running(process, folder, environment, log)
