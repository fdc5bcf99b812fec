"""What a worker does at its start and its end, in the main process and in each child."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

import structlog
from celery import Celery
from celery.signals import worker_init, worker_process_init, worker_process_shutdown

from orchestrator.engine.connection import WorkerConnection, check_session_locks
from orchestrator.engine.runner import Limits, StepRunner
from orchestrator.errors import SettingsError
from orchestrator.language.catalog import Catalog

log = structlog.get_logger(__name__)

_POOLS = ("prefork", "solo")
_PR_SET_PDEATHSIG = 1


class WorkerProcess:
    """The step runner of this process, made at its first step, and made anew after a fork."""

    def __init__(self, database_url: str, catalog: Catalog, limits: Limits) -> None:
        self._database_url = database_url
        self._catalog = catalog
        self._limits = limits
        self._connection: WorkerConnection | None = None
        self._runner: StepRunner | None = None

    def runner(self) -> StepRunner:
        """The step runner of this process."""
        if self._runner is None:
            worker = f"{socket.gethostname()}:{os.getpid()}"
            self._connection = WorkerConnection(self._database_url, worker)
            self._runner = StepRunner(self._connection, self._catalog, self._limits)
        return self._runner

    def install(self, application: Celery, check: Callable[[], None]) -> None:
        """Connect the signals of Celery.

        Args:
            application: the Celery application whose worker this may become.
            check: raises SettingsError when a worker must not start here (wrong database, old schema).
        """

        def started(**_: Any) -> None:
            pool = str(application.conf.worker_pool)
            chosen = _pool_on_command_line(sys.argv) or pool
            if chosen not in _POOLS:
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

        def child_stopped(**_: Any) -> None:
            if self._connection is not None:
                self._connection.discard()

        worker_init.connect(started, weak=False)
        worker_process_init.connect(child_started, weak=False)
        worker_process_shutdown.connect(child_stopped, weak=False)


def _pool_on_command_line(words: list[str]) -> str | None:
    for index, word in enumerate(words):
        if word.startswith("--pool="):
            return word.removeprefix("--pool=")
        if word in ("-P", "--pool") and index + 1 < len(words):
            return words[index + 1]
        if word.startswith("-P") and len(word) > 2:
            return word[2:]
    return None
