"""The statements that pause one process, or let it go on. A pause is a column beside the status, not a status."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

# A process that waits for its code begins to wait anew: nobody could take it meanwhile.
_SET_PAUSED: Final = text("""
UPDATE processes
SET paused = :paused, waiting_since = NULL, rung_at = clock_timestamp(), last_modified_at = clock_timestamp(),
    change_seq = change_seq + 1
WHERE seq = :seq
""")


# Its last child may have ended during the pause. The row is locked before this statement begins, as by a child that
# ends: one of the two sees the other.
_END_WAIT: Final = text("""
UPDATE processes p
SET status = 'resumed', waiting_for = NULL, waiting_since = NULL
WHERE seq = :seq AND status = 'waiting' AND waiting_for = 'children'
  AND NOT EXISTS (
    SELECT FROM processes c
    WHERE c.parent_seq = p.seq AND c.parent_position = p.position AND c.parent_generation = p.generation
      AND c.status NOT IN ('completed', 'aborted')
  )
RETURNING status
""")


def set_paused(session: Session, seq: int, paused: bool) -> str | None:
    """Pause a process that the caller has locked, or let it go on.

    Returns:
        Its new status, if it went on from a wait for children that have all ended.
    """
    session.execute(_SET_PAUSED, {"seq": seq, "paused": paused})
    return None if paused else session.execute(_END_WAIT, {"seq": seq}).scalar()
