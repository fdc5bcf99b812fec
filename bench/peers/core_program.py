"""orchestrator-core with the same workflow, in its own environment; nothing of this project is imported here.

`application` is its web application, `worker` its Celery application, and as a program this module migrates, or starts
processes as its API does, when it is told: `core_program.py migrate`, `core_program.py start`.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import uuid4

from alembic import command
from alembic.config import Config
from celery import Celery
from nwastdlib.logging import initialise_logging
from orchestrator.core import OrchestratorCore, app_settings, begin, done, step
from orchestrator.core.db import WorkflowTable, db, init_database
from orchestrator.core.db.database import transactional
from orchestrator.core.log_config import LOGGER_OVERRIDES
from orchestrator.core.services import tasks
from orchestrator.core.services.process_broadcast_thread import api_broadcast_process_data
from orchestrator.core.services.processes import get_thread_pool, start_process
from orchestrator.core.targets import Target
from orchestrator.core.websocket import broadcast_process_update_to_websocket, init_websocket_manager
from orchestrator.core.websocket.websocket_manager import WebSocketManager
from orchestrator.core.workflow import StepList, init, workflow
from orchestrator.core.workflows import LazyWorkflowInstance
from orders import obey
from structlog import get_logger

logger = get_logger(__name__)
TRIVIAL_STEPS = 8


def _trivial(number: int) -> Any:
    @step(f"Step {number}")
    def change_little() -> dict[str, int]:
        return {"step": number}

    return change_little


def _filling(kilobytes: int) -> Any:
    @step(f"Fill {kilobytes} kB")
    def fill() -> dict[str, str]:
        lines = (f"interface-{number}: vlan {number * 7919 % 4096}, " for number in range(kilobytes * 64))
        return {"filling": "".join(lines)[: kilobytes * 1000]}

    return fill


def _steps(count: int) -> StepList:
    steps = begin
    for number in range(count):
        steps = steps >> _trivial(number)
    return steps


def _listed(steps: StepList) -> Any:
    @workflow(target=Target.SYSTEM)
    def listing() -> StepList:
        return init >> steps >> done

    return listing


STEPS = {"bench_trivial": _steps(TRIVIAL_STEPS)} | {
    f"bench_state_{kilobytes}_{count}": begin >> _filling(kilobytes) >> _steps(count - 3)
    for kilobytes in (1, 10, 100)
    for count in (10, 100)
}
for _name, _each in STEPS.items():
    globals()[_name] = _listed(_each)
    LazyWorkflowInstance("core_program", _name)


class Worker(Celery):
    """As its documentation sets one up."""

    websocket_manager: WebSocketManager
    process_broadcast_fn: Any

    def on_init(self) -> None:
        initialise_logging(LOGGER_OVERRIDES)
        init_database(app_settings)
        self.websocket_manager = init_websocket_manager(app_settings)
        self.process_broadcast_fn = broadcast_process_update_to_websocket


def _celery(kind: type[Celery]) -> Celery:
    made = kind("core", broker=os.environ["BENCH_BROKER_URL"], include=["orchestrator.core.services.tasks"])
    made.conf.update(
        task_ignore_result=True,
        worker_prefetch_multiplier=1,
        worker_send_task_events=os.environ.get("BENCH_EVENTS") == "1",
        task_send_sent_event=False,
        broker_connection_retry_on_startup=True,
    )
    return made


def build_worker() -> Celery:
    made = _celery(Worker)
    tasks.initialise_celery(made)
    return made


def build_application() -> OrchestratorCore:
    application = OrchestratorCore(base_settings=app_settings)
    tasks.initialise_celery(_celery(Celery))
    return application


def _migrate() -> None:
    folder = Path(sys.modules["orchestrator.core"].__file__ or "").parent / "migrations"
    command.upgrade(Config(str(folder / "alembic.ini")), "heads")
    init_database(app_settings)
    with db.database_scope(), transactional(db, logger):
        for name in STEPS:
            db.session.add(
                WorkflowTable(workflow_id=uuid4(), name=name, target=Target.SYSTEM, is_task=True, description=name)
            )


def _start(broadcast: Any, name: str, count: int, pause: float, held: bool = False) -> None:
    with _no_thread_free() if held else nullcontext():
        for _ in range(count):
            with db.database_scope():
                start_process(name, [{}], "bench", broadcast_func=broadcast)
            time.sleep(pause)


@contextmanager
def _no_thread_free() -> Iterator[None]:
    """Let all threads of its executor wait, so that a queue is filled before anything runs."""
    free = threading.Event()
    for _ in range(app_settings.MAX_WORKERS):
        get_thread_pool().submit(free.wait)
    try:
        yield
    finally:
        free.set()


def _obey() -> None:
    application = build_application()
    # What the web application starts when it is served, and gives to what its API calls.
    if application.broadcast_thread is not None:
        application.broadcast_thread.start()
    obey(partial(_start, api_broadcast_process_data(SimpleNamespace(app=application))))
    if application.broadcast_thread is not None:
        application.broadcast_thread.stop()


if __name__ == "__main__":
    if sys.argv[1] == "migrate":
        _migrate()
    else:
        _obey()
