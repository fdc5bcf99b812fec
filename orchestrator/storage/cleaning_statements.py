"""The statements that delete what is old, a batch at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.storage.database import dump_json

# Processes that ended so long ago, by target: the newest first, below a seq. One stays while it has children (they go
# first), while its parent has not ended, and while a subscription that is out of sync names it as its holder. What
# hangs on a process goes with it; the audit and the history of values refer to nothing and stay.
_DELETE_PROCESSES: Final = text("""
WITH kept AS (
    SELECT key AS target, value::float8 AS days FROM jsonb_each_text(CAST(:retention AS jsonb))
), old AS MATERIALIZED (
    SELECT p.seq FROM processes p JOIN kept USING (target)
    WHERE p.seq < :below AND p.status IN ('completed', 'aborted')
      AND p.last_modified_at < clock_timestamp() - kept.days * interval '1 day'
      AND NOT EXISTS (SELECT FROM processes c WHERE c.parent_seq = p.seq)
      AND NOT EXISTS (
          SELECT FROM processes o WHERE o.seq = p.parent_seq AND o.status NOT IN ('completed', 'aborted')
      )
      AND NOT EXISTS (SELECT FROM subscriptions s WHERE NOT s.insync AND s.held_by = p.process_id)
    ORDER BY p.seq DESC LIMIT :most FOR UPDATE OF p SKIP LOCKED
)
DELETE FROM processes p USING old WHERE p.seq = old.seq RETURNING p.seq, p.process_id
""")

# Runs of schedules that were due so long ago. The last one of a schedule stays, and so do those whose process is there
# still: they tell whether it is under way.
_DELETE_RUNS: Final = text("""
DELETE FROM schedule_runs WHERE run_id IN (
    SELECT r.run_id FROM schedule_runs r
    WHERE r.due_at < clock_timestamp() - :days * interval '1 day' AND r.outcome <> 'queued'
      AND r.run_id < (SELECT max(l.run_id) FROM schedule_runs l WHERE l.schedule_id = r.schedule_id)
      AND NOT EXISTS (
          SELECT FROM processes p WHERE p.process_id = r.process_id AND p.status NOT IN ('completed', 'aborted')
      )
    ORDER BY r.run_id LIMIT :most FOR UPDATE SKIP LOCKED
)
""")


def delete_old_processes(
    session: Session, days_by_target: Mapping[str, float], below: int, most: int
) -> dict[int, UUID]:
    """Delete processes that ended longer ago than their target keeps them: the next below a seq, so many at most; their
    ids by seq."""
    values = {"retention": dump_json(dict(days_by_target)), "below": below, "most": most}
    return {row.seq: row.process_id for row in session.execute(_DELETE_PROCESSES, values)}


def delete_old_runs(session: Session, days: float, most: int) -> int:
    """Delete runs of schedules that are older, so many at most; how many there were."""
    return int(session.execute(_DELETE_RUNS, {"days": days, "most": most}).rowcount)  # type: ignore[attr-defined]
