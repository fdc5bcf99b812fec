"""The statements of the clock and of who changes schedules, each with its purpose.

Whoever records what a due time came to holds the row of its schedule. A row of `schedule_runs` for each due time is the
proof that it ran once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from orchestrator.storage.tables import ScheduleTable

# The moment as the database has it, by which all clocks go, and whether anything may start.
_NOW: Final = text("SELECT clock_timestamp() AS now, engine_open() AS is_open")

# A process that a schedule started is under way: it is neither at its end nor left behind by a failure. The newest of
# its runs are looked at.
_BUSY: Final = """
EXISTS (
    SELECT FROM (
        SELECT r.process_id FROM schedule_runs r
        WHERE r.schedule_id = s.schedule_id AND r.process_id IS NOT NULL ORDER BY r.run_id DESC LIMIT 20
    ) AS latest JOIN processes p USING (process_id)
    WHERE p.status NOT IN ('completed', 'aborted', 'failed', 'inconsistent_data', 'api_unavailable')
)
"""
_IS_BUSY: Final = text(f"SELECT {_BUSY} AS busy FROM schedules s WHERE schedule_id = :schedule_id")  # noqa: S608

# Schedules whose next run is due.
_DUE: Final = text("""
SELECT schedule_id FROM schedules WHERE run_at <= statement_timestamp() AND NOT paused ORDER BY run_at LIMIT :most
""")

# Schedules with a run that waited for the one before it, which has ended.
_UNBLOCKED: Final = text(f"""
SELECT s.schedule_id FROM schedule_runs w JOIN schedules s USING (schedule_id)
WHERE w.outcome = 'queued' AND NOT s.paused AND NOT {_BUSY} ORDER BY w.run_id LIMIT :most
""")  # noqa: S608 - only constants

# What a due time came to. No row: it is there already.
_RECORD: Final = text("""
INSERT INTO schedule_runs (schedule_id, due_at, outcome, process_id, reason, missed_until, requested_by)
VALUES (:schedule_id, :due_at, :outcome, :process_id, :reason, :missed_until, :requested_by)
ON CONFLICT (schedule_id, due_at) DO NOTHING RETURNING run_id
""")

# The run that waits.
_QUEUED: Final = text(
    "SELECT run_id, due_at FROM schedule_runs WHERE schedule_id = :schedule_id AND outcome = 'queued'"
)

_SETTLE: Final = text("""
UPDATE schedule_runs SET outcome = :outcome, process_id = :process_id, reason = :reason, recorded_at = clock_timestamp()
WHERE run_id = :run_id
""")

_ADVANCE: Final = text("UPDATE schedules SET due_at = :due_at, run_at = :run_at WHERE schedule_id = :schedule_id")


@dataclass(frozen=True)
class Moment:
    """The database's time, and whether the engine is open."""

    now: datetime
    is_open: bool


def read_moment(session: Session) -> Moment:
    """What time it is, and whether anything may start."""
    return Moment(**session.execute(_NOW).mappings().one())


def due_schedules(session: Session, most: int) -> list[UUID]:
    """The schedules whose next run is due, the longest due first."""
    return list(session.execute(_DUE, {"most": most}).scalars())


def unblocked_schedules(session: Session, most: int) -> list[UUID]:
    """The schedules with a run that waited and waits no longer."""
    return list(session.execute(_UNBLOCKED, {"most": most}).scalars())


def is_busy(session: Session, schedule_id: UUID) -> bool:
    """Whether a process that this schedule started is under way."""
    return bool(session.execute(_IS_BUSY, {"schedule_id": schedule_id}).scalar())


def lock_schedule(session: Session, schedule_id: UUID) -> ScheduleTable | None:
    """The schedule, for this transaction alone; None when it is gone, or somebody else has it at this moment."""
    statement = select(ScheduleTable).where(ScheduleTable.schedule_id == schedule_id)
    return session.scalars(statement.with_for_update(skip_locked=True)).one_or_none()


def record_run(session: Session, values: Mapping[str, Any]) -> bool:
    """Record what a due time came to; False when that was recorded before.

    `values` has schedule_id, due_at and outcome, and may have process_id, reason, missed_until and requested_by.
    """
    given = {"process_id": None, "reason": None, "missed_until": None, "requested_by": None, **values}
    return session.execute(_RECORD, given).one_or_none() is not None


def queued_run(session: Session, schedule_id: UUID) -> int | None:
    """The id of the run that waits for the one before it, if any."""
    row = session.execute(_QUEUED, {"schedule_id": schedule_id}).one_or_none()
    return None if row is None else row.run_id


def settle_run(
    session: Session, run_id: int, outcome: str, *, process_id: UUID | None = None, reason: str | None = None
) -> None:
    """Record what a run that waited came to."""
    session.execute(_SETTLE, {"run_id": run_id, "outcome": outcome, "process_id": process_id, "reason": reason})


def advance(session: Session, schedule_id: UUID, due_at: datetime | None, run_at: datetime | None) -> None:
    """Move a schedule that the caller has locked to its next due time."""
    session.execute(_ADVANCE, {"schedule_id": schedule_id, "due_at": due_at, "run_at": run_at})
