"""The switch of the engine: what stands in its one row, what still runs, and whom to ring for when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.storage.step_statements import STEP_LOCKS

# The processes whose step runs: by the lock that its worker holds, and by the token in the row. One of the two may be
# missing for a moment (a lock is let go of just before the commit, and ends with a connection that was lost).
_HELD = """
held AS MATERIALIZED (
    SELECT ((classid::bigint << 32) | objid::bigint) - (CAST(:namespace AS bigint) << 48) AS seq FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint >> 16 = :namespace
)
"""

_READ: Final = text(f"""
WITH {_HELD}
SELECT e.paused, e.reason, (
    SELECT count(*) FROM (
        SELECT seq FROM held
        UNION
        SELECT seq FROM processes WHERE status IN ('created', 'running', 'resumed') AND claim IS NOT NULL
    ) AS running
) AS running
FROM engine_settings e
""")  # noqa: S608 - only constants

_LOCK: Final = text("SELECT paused, reason FROM engine_settings FOR NO KEY UPDATE")

_SET: Final = text("""
UPDATE engine_settings SET paused = :paused, reason = :reason, changed_by = :changed_by, changed_at = clock_timestamp()
""")

# When the engine was last paused, or let go on; for workers.
SWITCHED_AT: Final[LiteralString] = "SELECT changed_at FROM engine_settings"

# Processes that can go on and that nobody runs, in the order of their seq. A row that is locked is being moved by
# somebody who rings for it afterwards; nothing is found once the engine is paused again.
_RING_RUNNABLE: Final = text(f"""
WITH {_HELD}, found AS MATERIALIZED (
    SELECT seq FROM processes p
    WHERE seq > :after AND status IN ('created', 'running', 'resumed') AND NOT paused AND due_at IS NULL
      AND (SELECT engine_open()) AND NOT EXISTS (SELECT FROM held WHERE held.seq = p.seq)
    ORDER BY seq LIMIT :most FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE processes p SET rung_at = clock_timestamp()
FROM found, workflow_versions v
WHERE p.seq = found.seq AND v.version_id = p.version_id
RETURNING p.seq, p.process_id, v.workflow_name, coalesce(p.step_key, '') AS step_key, p.target, p.is_task
""")  # noqa: S608 - only constants


@dataclass(frozen=True)
class EngineRow:
    """Whether steps may start, why not, and how many run at this moment."""

    paused: bool
    reason: str | None
    running: int


@dataclass(frozen=True)
class RunnableRow:
    """A process that can go on: what a bell for it tells."""

    seq: int
    process_id: UUID
    workflow_name: str
    step_key: str
    target: str
    is_task: bool


def read_engine(session: Session) -> EngineRow:
    """The engine as it is at this moment."""
    return EngineRow(**session.execute(_READ, {"namespace": STEP_LOCKS}).mappings().one())


def lock_engine(session: Session) -> tuple[bool, str | None]:
    """Whether it is paused, and why; nobody else changes that before this transaction ends."""
    row = session.execute(_LOCK).one()
    return row.paused, row.reason


def set_engine(session: Session, values: Mapping[str, Any]) -> None:
    """Open or close the engine: paused, reason and changed_by."""
    session.execute(_SET, values)


def ring_runnable(session: Session, after: int, most: int) -> list[RunnableRow]:
    """Note that bells are sent for the next processes that can go on, and which they are; by seq, above `after`."""
    values = {"namespace": STEP_LOCKS, "after": after, "most": most}
    rows = session.execute(_RING_RUNNABLE, values).mappings()
    return sorted((RunnableRow(**row) for row in rows), key=lambda row: row.seq)
