"""The statements that delete what is old, a batch at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

# Processes of a target that ended so long ago, the latest first, below a place in that order: an index leads to them.
# One stays while it has children (they go first), while its parent has not ended, and while a subscription that is out
# of sync names it as its holder. Only as many go at once as made so many changes, because each has left rows behind.
# What hangs on them is deleted set by set: the foreign keys would do it one by one. The audit and the history of values
# refer to nothing and stay.
_DELETE_PROCESSES: Final = text("""
WITH found AS MATERIALIZED (
    SELECT p.seq, p.started_at, p.change_seq FROM processes p
    WHERE p.target = :target AND p.started_at < statement_timestamp() - :days * interval '1 day'
      AND (p.started_at, p.seq) < (CAST(:below_at AS timestamptz), :below_seq)
      AND p.status IN ('completed', 'aborted')
      AND p.last_modified_at < statement_timestamp() - :days * interval '1 day'
      AND NOT EXISTS (SELECT FROM processes c WHERE c.parent_seq = p.seq)
      AND NOT EXISTS (
          SELECT FROM processes o WHERE o.seq = p.parent_seq AND o.status NOT IN ('completed', 'aborted')
      )
      AND NOT EXISTS (SELECT FROM subscriptions s WHERE NOT s.insync AND s.held_by = p.process_id)
    ORDER BY p.started_at DESC, p.seq DESC LIMIT :most FOR UPDATE OF p SKIP LOCKED
), old AS MATERIALIZED (
    SELECT seq FROM (
        SELECT seq, sum(change_seq) OVER (ORDER BY started_at DESC, seq DESC) - change_seq AS before FROM found
    ) AS summed WHERE before < :changes
), steps AS (
    DELETE FROM process_steps USING old WHERE process_seq = old.seq
), starts AS (
    DELETE FROM process_starts USING old WHERE process_seq = old.seq
), inputs AS (
    DELETE FROM process_inputs USING old WHERE process_seq = old.seq
), links AS (
    DELETE FROM process_subscriptions USING old WHERE process_seq = old.seq
)
DELETE FROM processes p USING old WHERE p.seq = old.seq RETURNING p.seq, p.started_at, p.process_id
""")

# Runs of schedules that were due so long ago. The last one of a schedule stays, and so do those whose process is there
# still: they tell whether it is under way.
_DELETE_RUNS: Final = text("""
DELETE FROM schedule_runs WHERE run_id IN (
    SELECT r.run_id FROM schedule_runs r
    WHERE r.due_at < statement_timestamp() - :days * interval '1 day' AND r.outcome <> 'queued'
      AND r.run_id < (SELECT max(l.run_id) FROM schedule_runs l WHERE l.schedule_id = r.schedule_id)
      AND NOT EXISTS (
          SELECT FROM processes p WHERE p.process_id = r.process_id AND p.status NOT IN ('completed', 'aborted')
      )
    ORDER BY r.run_id LIMIT :most FOR UPDATE SKIP LOCKED
)
""")


_DELETE_KEYS: Final = text("""
DELETE FROM idempotency_keys WHERE (actor, key) IN (
    SELECT actor, key FROM idempotency_keys WHERE expires_at <= statement_timestamp()
    ORDER BY expires_at LIMIT :most FOR UPDATE SKIP LOCKED
)
""")

_DELETE_AUDIT: Final = text("""
DELETE FROM audit WHERE audit_id IN (
    SELECT audit_id FROM audit WHERE at < statement_timestamp() - :days * interval '1 day'
    ORDER BY at, audit_id LIMIT :most FOR UPDATE SKIP LOCKED
)
""")

# The first in the order in which they were written: of those the ones that are old. No index is on their time.
_DELETE_CHANGES: Final = text("""
DELETE FROM subscription_changes WHERE change_id IN (
    SELECT change_id FROM (
        SELECT change_id, changed_at FROM subscription_changes ORDER BY change_id LIMIT :most FOR UPDATE SKIP LOCKED
    ) AS first WHERE changed_at < statement_timestamp() - :days * interval '1 day'
)
""")


@dataclass(frozen=True)
class Place:
    """A place in the order of processes by their start, the latest first: what is below it started earlier."""

    started_at: datetime
    seq: int


@dataclass(frozen=True)
class DeletedProcess:
    """A process that is gone."""

    place: Place
    process_id: UUID


def delete_old_processes(
    session: Session, target: str, days: float, below: Place | None, most: int, changes: int
) -> list[DeletedProcess]:
    """Delete processes of a target that ended so many days ago, the latest first.

    Args:
        session: of a transaction of its own.
        target: like `SYSTEM`.
        days: since they last changed.
        below: goes on where the batch before has ended.
        most: as many at most.
        changes: as many as made so many changes, and one more.
    """
    values = {
        "target": target,
        "days": days,
        "below_at": "infinity" if below is None else below.started_at,
        "below_seq": 0 if below is None else below.seq,
        "most": most,
        "changes": changes,
    }
    gone = [
        DeletedProcess(Place(row.started_at, row.seq), row.process_id)
        for row in session.execute(_DELETE_PROCESSES, values)
    ]
    return sorted(gone, key=lambda one: (one.place.started_at, one.place.seq), reverse=True)


def delete_old_runs(session: Session, days: float, most: int) -> int:
    """Delete runs of schedules that are older, so many at most; how many there were."""
    return int(session.execute(_DELETE_RUNS, {"days": days, "most": most}).rowcount)  # type: ignore[attr-defined]


def delete_expired_keys(session: Session, most: int) -> int:
    """Delete idempotency keys that are remembered no longer, so many at most; how many there were."""
    return int(session.execute(_DELETE_KEYS, {"most": most}).rowcount)  # type: ignore[attr-defined]


def delete_old_audit(session: Session, days: float, most: int) -> int:
    """Delete entries of the audit that are older, so many at most; how many there were."""
    return int(session.execute(_DELETE_AUDIT, {"days": days, "most": most}).rowcount)  # type: ignore[attr-defined]


def delete_old_changes(session: Session, days: float, most: int) -> int:
    """Delete what tells of changes of values that are older, so many at most; how many there were."""
    return int(session.execute(_DELETE_CHANGES, {"days": days, "most": most}).rowcount)  # type: ignore[attr-defined]
