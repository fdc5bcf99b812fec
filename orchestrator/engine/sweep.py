"""The recovery sweep: finds what nobody will ring for and rings."""

from __future__ import annotations

from typing import Any

import psycopg

from orchestrator.engine.bell import Ring
from orchestrator.storage.database import libpq_url
from orchestrator.storage.step_statements import STEP_LOCKS
from orchestrator.storage.sweep_statements import CLOCK_LOCK_KEY, RING, TAKE_LEAD, WAKE

_MOST_AT_ONCE = 500
_AGAIN_ORPHAN_SECONDS = 5.0
_AGAIN_SECONDS = 30.0


class Sweep:
    """The leader's work, once a second. Any number may stand by: the lead is an advisory lock on this connection."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        self.leads = False

    def find(self) -> list[Ring]:
        """Wake what came due and find what to ring for: nothing while another clock leads.

        Raises:
            psycopg.Error: the database does not answer; the lead is lost, the next call starts afresh.
        """
        try:
            return self._find(self._open())
        except psycopg.Error:
            self.close()
            raise

    def _open(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                application_name="orchestrator clock",
                connect_timeout=5,
                keepalives_idle=2,
                keepalives_interval=1,
                keepalives_count=3,
                options="-c synchronous_commit=off",
            )
        return self._connection

    def _find(self, connection: psycopg.Connection[tuple[Any, ...]]) -> list[Ring]:
        if not self.leads:
            row = connection.execute(TAKE_LEAD, {"key": CLOCK_LOCK_KEY}).fetchone()
            self.leads = bool(row and row[0])
        if not self.leads:
            return []
        connection.execute(WAKE, {"most": _MOST_AT_ONCE})
        values = {
            "namespace": STEP_LOCKS,
            "again_orphan": _AGAIN_ORPHAN_SECONDS,
            "again": _AGAIN_SECONDS,
            "most": _MOST_AT_ONCE,
        }
        return [Ring(*row) for row in connection.execute(RING, values).fetchall()]

    def close(self) -> None:
        """Give up the lead and the connection."""
        connection, self._connection = self._connection, None
        self.leads = False
        if connection is not None:
            connection.close()
