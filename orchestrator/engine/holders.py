"""Workers that keep a process from going on: stuck in a step past its hard limit, frozen, or busy with a lost claim."""

from __future__ import annotations

from typing import Any

import psycopg
import structlog

from orchestrator.storage.holder_statements import END_HOLDER, GIVE_UP, HOLDERS_WITHOUT_CLAIM
from orchestrator.storage.step_statements import STEP_LOCKS

log = structlog.get_logger(__name__)


class Holders:
    """What the leader of the clock does about them, once a second."""

    def __init__(self) -> None:
        self._suspects: frozenset[tuple[int, int, int]] = frozenset()

    def end(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        """Give up steps that are past their hard limit, and end the connections of those who hold a lock for nothing.

        A lock without a claim is held for an instant when a step is taken; who holds the same one at two looks holds it
        for nothing.
        """
        for process_id, key, worker, _ in connection.execute(GIVE_UP, {"namespace": STEP_LOCKS}).fetchall():
            log.warning("a step is past its hard limit", process_id=str(process_id), step=key, worker=worker)
        rows = connection.execute(HOLDERS_WITHOUT_CLAIM, {"namespace": STEP_LOCKS}).fetchall()
        found = frozenset((seq, pid, change) for seq, pid, change in rows)
        for seq, pid, _ in found & self._suspects:
            connection.execute(END_HOLDER, {"namespace": STEP_LOCKS, "pid": pid, "seq": seq})
            log.warning("a worker held a process that it had not claimed", seq=seq, backend=pid)
        self._suspects = found - self._suspects
