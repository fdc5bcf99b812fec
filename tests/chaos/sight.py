"""What the database shows of the run: who holds a claim, who leads, and what is still to be done."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg

from orchestrator.storage.step_statements import CLOCK_LOCK, STEP_LOCKS

RUNNABLE = ("created", "running", "resumed")

_HELD = """
SELECT p.seq, p.position, p.claim, p.attempt, split_part(p.claimed_by, ':', 2)::int
FROM processes p
WHERE p.claim IS NOT NULL AND p.status = 'running' AND EXISTS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 AND granted
       AND ((classid::bigint << 32) | objid::bigint) = ((%(namespace)s::bigint << 48) | p.seq))
ORDER BY p.seq
"""
_OPEN = "SELECT seq, position, claim FROM processes WHERE status IN ('created', 'running', 'resumed')"
_LEADER = r"""
SELECT l.pid, substring(a.application_name FROM '^orchestrator clock (\d+)$')::int
FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
   AND ((l.classid::bigint << 32) | l.objid::bigint) = %(key)s
"""
_DESCRIBE = """
SELECT seq, status, position, attempt, claim IS NOT NULL AS claimed, claimed_by,
       round(extract(epoch FROM clock_timestamp() - claimed_at), 1)::float AS claimed_ago,
       round(extract(epoch FROM clock_timestamp() - nullif(rung_at, '-infinity')), 1)::float AS rung_ago,
       due_at, left(failed_reason, 200) AS failed_reason
FROM processes WHERE seq = ANY(%(seqs)s) ORDER BY seq
"""

Spot = tuple[int, UUID | None]


@dataclass(frozen=True)
class Held:
    """A claim whose lock is held: the step that the process `pid` runs."""

    seq: int
    position: int
    token: UUID
    attempt: int
    pid: int


class Sight:
    """Looks at the database; while that is away it sees nothing."""

    def __init__(self, url: str, *, autocommit: bool = True) -> None:
        """Without `autocommit` it looks within one transaction, which is rolled back when it is closed."""
        self._url = url
        self._autocommit = autocommit
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None

    def rows(self, statement: str, **values: Any) -> list[tuple[Any, ...]] | None:
        """The rows of a statement; None while the database does not answer."""
        try:
            if self._connection is None:
                self._connection = psycopg.connect(
                    self._url, autocommit=self._autocommit, connect_timeout=3, application_name="chaos"
                )
            return self._connection.execute(statement, values).fetchall()
        except psycopg.OperationalError:
            self.close()
            return None

    def held(self) -> list[Held]:
        """All claims whose lock is held."""
        return [Held(*row) for row in self.rows(_HELD, namespace=STEP_LOCKS) or ()]

    def spots(self) -> dict[int, Spot] | None:
        """Where each process that is not at its end stands, and its token."""
        rows = self.rows(_OPEN)
        return None if rows is None else {seq: (position, claim) for seq, position, claim in rows}

    def not_moved(self, before: Mapping[int, Spot]) -> list[int]:
        """Which of these neither were recorded nor claimed anew since; all of them while nothing is seen."""
        now = self.spots()
        if now is None:
            return list(before)
        return [seq for seq, spot in before.items() if seq in now and not _moved(spot, now[seq])]

    def leader(self) -> tuple[int, int] | None:
        """The server process of the clock that leads, and the process of that clock."""
        rows = self.rows(_LEADER, key=CLOCK_LOCK)
        return (rows[0][0], rows[0][1]) if rows else None

    def describe(self, seqs: list[int]) -> str:
        """What the rows of these processes say, for a person."""
        rows = self.rows(_DESCRIBE, seqs=seqs) or []
        holders = {held.seq for held in self.held()}
        return "; ".join(f"{row} lock={'held' if row[0] in holders else 'free'}" for row in rows)

    def close(self) -> None:
        """Close the connection; the next look opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _moved(before: Spot, now: Spot) -> bool:
    return now[0] != before[0] or (now[1] is not None and now[1] != before[1])
