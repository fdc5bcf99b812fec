"""Gates: how a test holds a step, lets it go on, and sees that it was there. All of it files in one folder."""

from __future__ import annotations

import os
import time
from pathlib import Path

LONGEST_WAIT = 60.0


def folder() -> Path:
    """Where the files are."""
    return Path(os.environ["CATALOG_ON_TEST_FOLDER"])


def visit(gate: str) -> None:
    """Leave a line with the id of this process of the operating system."""
    with (folder() / f"{gate}.visits").open("a") as visits:
        visits.write(f"{os.getpid()}\n")


def is_open(gate: str) -> bool:
    """Whether the test has opened it."""
    return (folder() / f"{gate}.open").exists()


def pass_through(gate: str) -> None:
    """Come to the gate and wait until it is opened."""
    visit(gate)
    deadline = time.monotonic() + LONGEST_WAIT
    while not is_open(gate):
        if time.monotonic() > deadline:
            raise AssertionError(f"nobody opened the gate {gate}")
        time.sleep(0.02)
