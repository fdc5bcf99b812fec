"""The statement that pauses one process, or lets it go on. A pause is a column beside the status, not a status."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text
from sqlalchemy.orm import Session

_SET_PAUSED: Final = text("""
UPDATE processes
SET paused = :paused, rung_at = clock_timestamp(), last_modified_at = clock_timestamp(), change_seq = change_seq + 1
WHERE seq = :seq
""")


def set_paused(session: Session, seq: int, paused: bool) -> None:
    """Pause a process that the caller has locked, or let it go on."""
    session.execute(_SET_PAUSED, {"seq": seq, "paused": paused})
