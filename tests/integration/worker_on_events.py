"""The Celery application of this project with tasks that need no database, for the tests of task events.

Each task leaves a file when it has run.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from celery import Task

from orchestrator.settings import read_settings
from orchestrator.tasks.application import build_application

app = build_application(read_settings())


@app.task(name="quick")
def quick(ran: str) -> str:
    """Ends at once."""
    Path(ran).touch()
    return "done"


@app.task(name="fail")
def fail(ran: str) -> None:
    """Fails at once."""
    Path(ran).touch()
    raise ValueError("as it was told")


@app.task(name="again", bind=True, max_retries=1)
def again(task: Task[Any, Any], ran: str) -> str:
    """Succeeds the second time."""
    if not task.request.retries:
        raise task.retry(countdown=0.3)
    Path(ran).touch()
    return "done"


@app.task(name="die_once")
def die_once(ran: str) -> str:
    """Takes its worker child along, the first time."""
    died = Path(f"{ran}.died")
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    Path(ran).touch()
    return "done"


@app.task(name="endless", time_limit=1)
def endless() -> None:
    """Meets its hard limit."""
    time.sleep(60)


@app.task(name="hold")
def hold(ran: str) -> str:
    """Says that it has begun, and ends when it may."""
    Path(f"{ran}.begun").touch()
    while not Path(f"{ran}.may_end").exists():
        time.sleep(0.01)
    Path(ran).touch()
    return "done"


@app.task(name="count")
def count(ran: str) -> None:
    """Adds a line each time."""
    with Path(ran).open("a") as file:
        file.write("ran\n")
