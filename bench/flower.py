"""Flower, as who reads the task events."""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from bench.ground import Ground, environment, program, wait_for
from orchestrator.cli.demo import free_ports


@contextmanager
def flower(ground: Ground, *, wanted: bool, of_ours: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run it beside the workers, if it is wanted: as it comes, or the one of the Procfile with these settings."""
    if not wanted:
        yield
        return
    (port,) = free_ports(1)
    if of_ours is None:
        # Celery would read the settings of this project in the repository, and hear none of a peer's messages.
        command = [sys.executable, "-m", "celery", f"--broker={ground.broker_url}", "flower", f"--port={port}"]
        variables = environment(PYTHONPATH="")
    else:
        command = [sys.executable, "-m", "orchestrator", "flower"]
        variables = {**of_ours, "ORCHESTRATOR_FLOWER_PORT": str(port)}
    with program(command, ground.folder / "flower.log", variables, ground.folder):
        wait_for(lambda: _answers(port), 30, "Flower does not answer", 0.2)
        yield


def _answers(port: int) -> bool:
    try:
        return bool(urllib.request.urlopen(f"http://127.0.0.1:{port}/healthcheck", timeout=2))
    except (urllib.error.URLError, OSError):
        return False
