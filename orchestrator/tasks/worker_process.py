"""What a worker does at its start and its end, in the main process and in each child."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from mmap import mmap
from typing import Any

import psycopg
import structlog
from celery import Celery
from celery.bootsteps import StartStopStep
from celery.signals import worker_init, worker_process_init, worker_process_shutdown, worker_shutting_down

from orchestrator.engine.connection import WorkerConnection, check_session_locks
from orchestrator.engine.runner import Limits, StepRunner
from orchestrator.errors import SettingsError
from orchestrator.language.catalog import Catalog
from orchestrator.storage.database import libpq_url
from orchestrator.storage.step_statements import UNCOUNT

log = structlog.get_logger(__name__)

_POOLS = ("prefork", "solo")
# What `celeryconfig` names, and what Celery takes for "prefork" then.
_OUR_PREFORK = "orchestrator.tasks.prefork:TaskPool"
_PR_SET_PDEATHSIG = 1


class WorkerProcess:
    """The step runner of this process, made at its first step, and made anew after a fork."""

    def __init__(self, database_url: str, catalog: Catalog, limits: Limits) -> None:
        self._database_url = database_url
        self._catalog = catalog
        self._limits = limits
        self._connection: WorkerConnection | None = None
        self._runner: StepRunner | None = None
        self._main_process: int | None = None
        # A byte that children share with their main process, which alone is told.
        self._told_to_stop = mmap(-1, 1)

    def runner(self) -> StepRunner:
        """The step runner of this process."""
        if self._runner is None:
            worker = f"{_worker(self._main_process or os.getpid())}{os.getpid()}"
            self._connection = WorkerConnection(self._database_url, worker)
            self._runner = StepRunner(self._connection, self._catalog, self._limits)
        return self._runner

    def is_told_to_stop(self) -> bool:
        """Whether this worker is to end: what it runs is ended well, and nothing else begun."""
        return self._told_to_stop[0] != 0

    def _uncount(self) -> None:
        """Steps that are cut short because this worker has to stop are not to blame for that."""
        hurry = "-c statement_timeout=2s"
        with psycopg.connect(
            libpq_url(self._database_url), autocommit=True, connect_timeout=3, tcp_user_timeout=3_000, options=hurry
        ) as connection:
            connection.execute(UNCOUNT, {"worker": _worker(os.getpid())})

    def install(self, application: Celery, check: Callable[[], None]) -> None:
        """Connect the signals of Celery.

        Args:
            application: the Celery application whose worker this may become.
            check: raises SettingsError when a worker must not start here (wrong database, old schema).
        """

        def started(**_: Any) -> None:
            pool = str(application.conf.worker_pool)
            chosen = _pool_on_command_line(sys.argv) or pool
            if chosen not in (*_POOLS, _OUR_PREFORK):
                raise SystemExit(
                    f"the pool {chosen!r} cannot run steps: two steps on one connection would share its locks; "
                    f"use one of {', '.join(_POOLS)}"
                )
            try:
                check()
                check_session_locks(self._database_url)
            except SettingsError as error:
                raise SystemExit(f"the worker does not start: {error}") from None

        def child_started(**_: Any) -> None:
            # The main process drains; a SIGTERM to the whole group must not cut a step or lose its message. A child
            # whose main process was killed must not go on alone.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            self._connection = self._runner = None
            self._main_process = os.getppid()

        def shutting_down(**_: Any) -> None:
            # Celery calls this in a signal handler of the main process, once for each signal: no log, no error. Other
            # ways to end it come here when it drains.
            if not self.is_told_to_stop():
                self._told_to_stop[0] = 1
                with contextlib.suppress(psycopg.Error):
                    self._uncount()

        def child_stopped(**_: Any) -> None:
            if self._connection is not None:
                self._connection.discard()

        class Ending(StartStopStep):
            """Of the worker: `shutdown` from Flower ends it without the signal that it sends at SIGTERM."""

            def close(self, _: object) -> None:
                shutting_down()

        application.steps["worker"].add(Ending)
        worker_init.connect(started, weak=False)
        worker_process_init.connect(child_started, weak=False)
        worker_shutting_down.connect(shutting_down, weak=False)
        worker_process_shutdown.connect(child_stopped, weak=False)


def _worker(main_process: int) -> str:
    """How the names of the children of this worker begin."""
    return f"{socket.gethostname()}/{main_process}:"


def _pool_on_command_line(words: list[str]) -> str | None:
    for index, word in enumerate(words):
        if word.startswith("--pool="):
            return word.removeprefix("--pool=")
        if word in ("-P", "--pool") and index + 1 < len(words):
            return words[index + 1]
        if word.startswith("-P") and len(word) > 2:
            return word[2:]
    return None
