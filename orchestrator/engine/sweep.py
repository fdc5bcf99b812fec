"""The recovery sweep: finds what nobody will ring for and rings."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from time import monotonic, sleep
from typing import Any, LiteralString

import psycopg
import structlog

from orchestrator.engine.bell import Ring
from orchestrator.engine.forgotten import Forgotten, QueueOf, one_queue
from orchestrator.engine.holders import Holders
from orchestrator.engine.late import fail_late
from orchestrator.storage.children_statements import WAKE_PARENTS
from orchestrator.storage.database import libpq_url
from orchestrator.storage.step_statements import STEP_LOCKS
from orchestrator.storage.sweep_statements import (
    CLOCK_LOCK_KEY,
    END_SILENT_LEADER,
    LET_GO,
    RING_DUE,
    RING_ORPHANS,
    TAKE_LEAD,
    WAKE,
)

log = structlog.get_logger(__name__)

_MOST_AT_ONCE = 2_000
_MOST_LATE_AT_ONCE = 200
_AGAIN_ORPHAN_SECONDS = 5.0
# Twice what a ring takes while the broker is frozen: a leader that waits for that is not taken for frozen itself.
_SILENCE_SECONDS = 3.0
# How long a server may take to end a connection that it was told to end.
_END_SECONDS = 0.5


class Sweep:
    """The leader's work, once a second. Any number may stand by: the lead is an advisory lock on this connection."""

    def __init__(self, url: str, *, queue_of: QueueOf = one_queue, patience: float = 60.0) -> None:
        """Nothing is opened yet.

        Args:
            url: the database.
            queue_of: the queue that bells for a target go to, for a task or not.
            patience: seconds in which a worker that lost its connection may come back while the engine is paused.
        """
        self._forgotten = Forgotten(queue_of)
        self._patience = patience
        self._url = libpq_url(url)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self._holders = Holders()
        self.leads = False

    def find(self, queued: Callable[[], Mapping[str, int] | None]) -> list[Ring]:
        """Wake what came due and find what to ring for: nothing while another clock leads.

        Args:
            queued: how many bells the broker has in each of its queues, None when it does not answer; asked only by
                the leader, and only when processes wait for a worker.

        Raises:
            psycopg.Error: the database does not answer; the lead is lost, the next call starts afresh.
        """
        try:
            connection = self._open()
            if not self._lead(connection):
                return []
            self._holders.end(connection)
            connection.execute(WAKE, {"most": _MOST_AT_ONCE})
            connection.execute(WAKE_PARENTS, {"most": _MOST_AT_ONCE})
            fail_late(connection, _MOST_LATE_AT_ONCE)
            gone = {"namespace": STEP_LOCKS, "patience": self._patience, "most": _MOST_AT_ONCE}
            connection.execute(LET_GO, gone)
            orphans = {"namespace": STEP_LOCKS, "again": _AGAIN_ORPHAN_SECONDS, "most": _MOST_AT_ONCE}
            # Asked first, because that may take a moment: what follows tells those who stand by that this clock works.
            forgotten = self._forgotten.find(connection, queued, _MOST_AT_ONCE)
            return [
                *self._rings(connection, RING_ORPHANS, orphans),
                *self._rings(connection, RING_DUE, {"most": _MOST_AT_ONCE}),
                *forgotten,
            ]
        except psycopg.Error:
            self.close()
            raise

    def keep_lead(self) -> None:
        """Tell those who stand by that this clock works, in the middle of something that takes a while.

        Raises:
            psycopg.Error: the database does not answer, or the lead is lost.
        """
        try:
            if self._connection is not None:
                self._connection.execute("SELECT 1")
        except psycopg.Error:
            self.close()
            raise

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                application_name=f"orchestrator clock {os.getpid()}",
                connect_timeout=5,
                keepalives_idle=2,
                keepalives_interval=1,
                keepalives_count=3,
                tcp_user_timeout=5_000,
                options="-c synchronous_commit=off",
            )
        return self._connection

    def _lead(self, connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
        if not self.leads:
            self.leads = self._take_lead(connection)
            if not self.leads:
                silent = {"key": CLOCK_LOCK_KEY, "seconds": _SILENCE_SECONDS}
                if connection.execute(END_SILENT_LEADER, silent).fetchone() is not None:
                    log.warning("the clock that led was silent for too long, its connection is ended")
                    give_up = monotonic() + _END_SECONDS
                    while not self.leads and monotonic() < give_up:
                        sleep(_END_SECONDS / 10)
                        self.leads = self._take_lead(connection)
        return self.leads

    @staticmethod
    def _take_lead(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
        row = connection.execute(TAKE_LEAD, {"key": CLOCK_LOCK_KEY}).fetchone()
        return bool(row and row[0])

    @staticmethod
    def _rings(
        connection: psycopg.Connection[tuple[Any, ...]], statement: LiteralString, values: Mapping[str, Any]
    ) -> list[Ring]:
        return [Ring(*row) for row in connection.execute(statement, values).fetchall()]

    def close(self) -> None:
        """Give up the lead and the connection."""
        connection, self._connection = self._connection, None
        self.leads = False
        if connection is not None:
            connection.close()
