"""The statements that resume, abort and delete processes, each with its purpose (`start_statements` start them).

Each is one round trip. Whoever changes a process does it by a conditional UPDATE of its row, so that of two who want to
change the same thing one finds no row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session

from orchestrator.errors import ConflictError
from orchestrator.storage.database import with_json

# A process with the step list that it is pinned to, and whether the engine is paused.
_FIND_PROCESS: Final = text("""
SELECT p.seq, p.process_id, p.version_id, p.status, p.waiting_for, p.paused, p.position, p.generation, p.step_key,
       p.state || p.recent AS kept_state, p.target, p.is_task, p.change_seq, p.note, v.workflow_name, v.hash, v.steps,
       e.paused AS engine_paused, e.reason AS engine_reason
FROM processes p JOIN workflow_versions v USING (version_id) CROSS JOIN engine_settings e
WHERE p.process_id = :process_id
""")

# In a statement before it: one that waits for the row and reads others with it sees those as they were before, and
# finds nothing when the process was moved to another version meanwhile.
_LOCK_PROCESS: Final = text("SELECT FROM processes WHERE process_id = :process_id FOR NO KEY UPDATE")

# Move a process past the input step that it is suspended at, if it still is. No row: somebody else was faster.
_ANSWER: Final = text("""
WITH p AS (
    UPDATE processes
    SET status = :status, position = :next_position, step_key = :next_key, last_step = :name, assignee = 'SYSTEM',
        state = ((state || recent) - CAST(:removed AS text[])) || CAST(:delta AS jsonb), recent = '{}',
        claim = NULL, attempt = 0, deadline = NULL, waiting_for = NULL, due_at = NULL, expires_at = NULL,
        waiting_since = NULL, failed_reason = NULL,
        traceback = NULL, rung_at = clock_timestamp(), last_modified_at = clock_timestamp(), change_seq = change_seq + 1
    WHERE seq = :seq AND status = 'suspended' AND position = :position AND generation = :generation
      AND change_seq = :change_seq
    RETURNING seq
), step AS (
    INSERT INTO process_steps (process_seq, position, generation, key, name, status, delta, removed, created_by)
    SELECT seq, :position, :generation, :key, :name, :step_status, CAST(:delta AS jsonb), CAST(:removed AS text[]),
           :created_by
    FROM p
), input AS (
    INSERT INTO process_inputs (process_seq, position, step_key, pages, created_by)
    SELECT seq, :position, :key, CAST(:pages AS jsonb), :created_by FROM p
)
SELECT seq FROM p
""")

# Let the step that failed or waits run again, if it still does. No row: somebody else was faster.
_RETRY: Final = text("""
UPDATE processes
SET status = :status, claim = NULL, attempt = 0, deadline = NULL, waiting_for = NULL, due_at = NULL,
    waiting_since = NULL, failed_reason = NULL, traceback = NULL, rung_at = clock_timestamp(),
    last_modified_at = clock_timestamp(), change_seq = change_seq + 1
WHERE seq = :seq AND status = :seen AND change_seq = :change_seq
RETURNING seq
""")

# End a process whose row is locked. Its claim goes with it, so a step that runs now is recorded no more.
_ABORT: Final = text("""
WITH p AS (
    UPDATE processes
    SET status = :status, paused = false, claim = NULL, attempt = 0, deadline = NULL, waiting_for = NULL, due_at = NULL,
        expires_at = NULL, waiting_since = NULL, last_step = :name, assignee = 'SYSTEM', failed_reason = :reason,
        traceback = NULL, last_modified_at = clock_timestamp(), change_seq = change_seq + 1
    WHERE seq = :seq
    RETURNING seq, position, generation
)
INSERT INTO process_steps (process_seq, position, generation, key, name, status, error, created_by)
SELECT seq, position, generation, :key, :name, :step_status, CAST(:error AS jsonb), :created_by FROM p
""")

_SET_NOTE: Final = text("""
UPDATE processes SET note = :note, last_modified_at = clock_timestamp(), change_seq = change_seq + 1 WHERE seq = :seq
""")

_DELETE: Final = text("DELETE FROM processes WHERE seq = :seq")

# An index has both columns. Those that have ended are most of them: the time to count them grows with their number.
_COUNT_STATUSES: Final = text("SELECT is_task, status, count(*) AS processes FROM processes GROUP BY is_task, status")

_COUNT_OPEN: Final = text("""
SELECT is_task, status, count(*) AS processes FROM processes
WHERE status IN ('created', 'running', 'resumed', 'suspended', 'waiting', 'awaiting_callback', 'failed',
                 'inconsistent_data', 'api_unavailable')
GROUP BY is_task, status
""")


@dataclass(frozen=True)
class ProcessRow:
    """A process, and `steps`, the list of `{"key", "name", "kind", "assignee"}` that it is pinned to. `kept_state` is
    None when it has ended and its steps tell it."""

    seq: int
    process_id: UUID
    version_id: int
    status: str
    waiting_for: str | None
    paused: bool
    position: int
    generation: int
    step_key: str | None
    kept_state: dict[str, Any] | None
    target: str
    is_task: bool
    change_seq: int
    note: str | None
    workflow_name: str
    hash: str
    steps: list[dict[str, Any]]
    engine_paused: bool
    engine_reason: str | None

    @property
    def state(self) -> dict[str, Any]:
        """The state of a process that has not ended.

        Raises:
            ConflictError: it has, and the state is not here.
        """
        if self.kept_state is None:
            raise ConflictError(f"process {self.process_id} is {self.status}: nothing goes on from its state")
        return self.kept_state


def find_process(session: Session, process_id: UUID, *, lock: bool = False) -> ProcessRow | None:
    """A process, None when there is none. `lock`: nobody else changes it before this transaction ends."""
    if lock:
        session.execute(_LOCK_PROCESS, {"process_id": process_id})
    row = session.execute(_FIND_PROCESS, {"process_id": process_id}).mappings().one_or_none()
    return None if row is None else ProcessRow(**row)


def answer_input(session: Session, values: Mapping[str, Any]) -> bool:
    """Record the answer to an input step and move the process; False when it is no longer where it was seen.

    `values` has seq, position, generation and change_seq as seen, key and name of the step, status, step_status,
    next_position, next_key, delta, removed, pages and created_by.
    """
    return _found(session, _ANSWER, with_json(values, "delta", "pages"))


def retry_process(session: Session, values: Mapping[str, Any]) -> bool:
    """Let a step run again; False when the process is no longer as it was `seen`.

    `values` has seq, change_seq and seen (a status), and status, the new one.
    """
    return _found(session, _RETRY, values)


def abort_process(session: Session, values: Mapping[str, Any]) -> None:
    """End a process that the caller has locked: seq, status, step_status, key, name, reason, error and created_by."""
    session.execute(_ABORT, with_json(values, "error"))


def set_note(session: Session, seq: int, note: str | None) -> None:
    """Set the note of a process that the caller has locked."""
    session.execute(_SET_NOTE, {"seq": seq, "note": note})


def delete_process(session: Session, seq: int) -> None:
    """Delete a process that the caller has locked, with its steps and inputs."""
    session.execute(_DELETE, {"seq": seq})


def count_statuses(session: Session, *, ended: bool) -> list[tuple[bool, str, int]]:
    """How many processes there are: (is a task, status, number), with or without completed and aborted ones."""
    rows = session.execute(_COUNT_STATUSES if ended else _COUNT_OPEN)
    return [(row.is_task, row.status, row.processes) for row in rows]


def _found(session: Session, statement: TextClause, values: Mapping[str, Any]) -> bool:
    return session.execute(statement, values).one_or_none() is not None
