"""The statements of what outside systems send: each is for the process whose row the caller has locked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.storage.database import dump_json

# The newest first: it is the one that is asked for most.
_CALLBACKS: Final = text("""
SELECT callback_id, step_key, generation, nonce, arrived_at FROM callbacks
WHERE process_seq = :seq ORDER BY callback_id DESC
""")

_CALLBACK: Final = text("""
SELECT callback_id, step_key, generation, nonce, arrived_at FROM callbacks WHERE callback_id = :callback_id
""")

_KEEP_ARRIVED: Final = text("""
UPDATE callbacks SET arrived = CAST(:arrived AS jsonb), arrived_at = clock_timestamp(), arrived_by = :arrived_by
WHERE callback_id = :callback_id
""")

_KEEP_PROGRESS: Final = text("""
UPDATE callbacks SET progress = CAST(:progress AS jsonb) WHERE callback_id = :callback_id
""")

# The step that waited runs again, and takes what has arrived.
_GO_ON: Final = text("""
UPDATE processes
SET status = :status, claim = NULL, attempt = 0, deadline = NULL, waiting_for = NULL, due_at = NULL,
    waiting_since = NULL, failed_reason = NULL, traceback = NULL, rung_at = clock_timestamp(),
    last_modified_at = clock_timestamp(), change_seq = change_seq + 1
WHERE seq = :seq
""")

_TOUCH: Final = text("""
UPDATE processes SET last_modified_at = clock_timestamp(), change_seq = change_seq + 1 WHERE seq = :seq
""")

# What was last said about the callback that a process waits for, or will wait for next.
_PROGRESS: Final = text("""
SELECT c.progress FROM callbacks c JOIN processes p ON p.seq = c.process_seq AND p.generation = c.generation
WHERE c.process_seq = :seq AND c.arrived_at IS NULL AND p.status NOT IN ('completed', 'aborted')
ORDER BY c.callback_id DESC LIMIT 1
""")


@dataclass(frozen=True)
class CallbackRow:
    """One callback of a process; `step_key` is that of the step that waits for it."""

    callback_id: int
    step_key: str
    generation: int
    nonce: str
    arrived_at: datetime | None


def callbacks_of(session: Session, seq: int) -> list[CallbackRow]:
    """The callbacks of a process whose route was handed out, the newest first."""
    return [CallbackRow(**row) for row in session.execute(_CALLBACKS, {"seq": seq}).mappings()]


def get_callback(session: Session, callback_id: int) -> CallbackRow | None:
    """A callback as it is now, None when its process was deleted."""
    row = session.execute(_CALLBACK, {"callback_id": callback_id}).mappings().one_or_none()
    return None if row is None else CallbackRow(**row)


def keep_arrived(session: Session, callback_id: int, arrived: Any, arrived_by: str) -> None:
    """Keep what an outside system sent, for the step that waits or will wait for it."""
    values = {"callback_id": callback_id, "arrived": dump_json(arrived), "arrived_by": arrived_by}
    session.execute(_KEEP_ARRIVED, values)


def keep_progress(session: Session, seq: int, callback_id: int, progress: Any) -> None:
    """Replace what is shown of how far the outside system is."""
    session.execute(_KEEP_PROGRESS, {"callback_id": callback_id, "progress": dump_json(progress)})
    session.execute(_TOUCH, {"seq": seq})


def go_on(session: Session, seq: int, status: str) -> None:
    """Let the step that waited run again."""
    session.execute(_GO_ON, {"seq": seq, "status": status})


def progress_of(session: Session, seq: int) -> Any:
    """What was last said about the callback that a process has yet to get, None when nothing was."""
    return session.execute(_PROGRESS, {"seq": seq}).scalar_one_or_none()
