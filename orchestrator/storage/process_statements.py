"""The statements that start, resume, abort and delete processes, each with its purpose.

Each is one round trip. Whoever changes a process does it by a conditional UPDATE of its row, so that of two who want to
change the same thing one finds no row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.orm import Session

from orchestrator.storage.database import Database, dump_json

# A workflow as it can be started, with whether the engine is paused.
_FIND_WORKFLOW: Final = text("""
SELECT w.workflow_id, w.name, w.description, w.target, w.is_task,
       EXISTS (SELECT FROM products_workflows l WHERE l.workflow_id = w.workflow_id) AS has_products,
       e.paused AS engine_paused, e.reason AS engine_reason
FROM workflows w CROSS JOIN engine_settings e
WHERE w.name = :name AND w.deleted_at IS NULL
""")

# The products that a workflow creates subscriptions of.
_FIND_PRODUCTS: Final = text("""
SELECT p.product_id, p.name FROM products p JOIN products_workflows l USING (product_id)
WHERE l.workflow_id = :workflow_id AND p.status <> 'end of life' ORDER BY p.name
""")

# A subscription that a workflow is to be started on, and whether its product has that workflow.
_FIND_START_SUBJECT: Final = text("""
SELECT s.product_id, p.name AS product_name, s.customer_id, s.version,
       EXISTS (SELECT FROM products_workflows l
               WHERE l.product_id = s.product_id AND l.workflow_id = :workflow_id) AS is_linked
FROM subscriptions s JOIN products p USING (product_id) WHERE s.subscription_id = :subscription_id
""")

# Pin the version of the workflow (made when it is new), make the process with what was entered, and tell the audit.
_START: Final = text("""
WITH found AS (
    SELECT version_id FROM workflow_versions WHERE workflow_name = :workflow_name AND hash = :hash
), made AS (
    INSERT INTO workflow_versions (workflow_name, hash, steps)
    SELECT CAST(:workflow_name AS text), CAST(:hash AS text), CAST(:steps AS jsonb) WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (workflow_name, hash) DO UPDATE SET hash = EXCLUDED.hash
    RETURNING version_id
), process AS (
    INSERT INTO processes (process_id, workflow_id, version_id, target, is_task, step_key, state, created_by)
    SELECT CAST(:process_id AS uuid), CAST(:workflow_id AS uuid), version.version_id, CAST(:target AS text),
           CAST(:is_task AS boolean), CAST(:step_key AS text), CAST(:state AS jsonb), CAST(:created_by AS text)
    FROM (SELECT version_id FROM found UNION ALL SELECT version_id FROM made) AS version
    RETURNING seq, version_id, state, step_key
), start AS (
    INSERT INTO process_starts (process_seq, generation, version_id, position, step_key, cause, state, created_by)
    SELECT seq, 1, version_id, 0, step_key, 'start', state, CAST(:created_by AS text) FROM process
), input AS (
    INSERT INTO process_inputs (process_seq, pages, created_by)
    SELECT seq, CAST(:pages AS jsonb), CAST(:created_by AS text) FROM process
), subscription AS (
    INSERT INTO process_subscriptions (process_seq, subscription_id)
    SELECT seq, CAST(:subscription_id AS uuid) FROM process WHERE CAST(:subscription_id AS uuid) IS NOT NULL
), told AS (
    INSERT INTO audit (actor, action, object_type, object_id, process_id, subscription_id, after, request_id)
    SELECT CAST(:actor AS text), 'start', 'process', CAST(CAST(:process_id AS uuid) AS text),
           CAST(:process_id AS uuid), CAST(:subscription_id AS uuid),
           jsonb_build_object(
               'workflow_name', CAST(:workflow_name AS text), 'created_by', CAST(:created_by AS text)
           ),
           CAST(:request_id AS text)
    FROM process
)
SELECT seq FROM process
""")

# A process with the step list that it is pinned to, and whether the engine is paused.
_FIND_PROCESS: Final = text("""
SELECT p.seq, p.process_id, p.version_id, p.status, p.waiting_for, p.paused, p.position, p.generation, p.step_key,
       p.state || p.recent AS state, p.target, p.is_task, p.change_seq, p.note, v.workflow_name, v.hash, v.steps,
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
class WorkflowRow:
    """A workflow that can be started. `engine_paused` is about the engine as a whole."""

    workflow_id: UUID
    name: str
    description: str
    target: str
    is_task: bool
    has_products: bool
    engine_paused: bool
    engine_reason: str | None


@dataclass(frozen=True)
class StartSubject:
    """A subscription that a workflow is to be started on; `is_linked`: its product has that workflow."""

    product_id: UUID
    product_name: str
    customer_id: str
    version: int
    is_linked: bool


@dataclass(frozen=True)
class ProcessRow:
    """A process, and `steps`, the list of `{"key", "name", "kind", "assignee"}` that it is pinned to."""

    seq: int
    process_id: UUID
    version_id: int
    status: str
    waiting_for: str | None
    paused: bool
    position: int
    generation: int
    step_key: str | None
    state: dict[str, Any]
    target: str
    is_task: bool
    change_seq: int
    note: str | None
    workflow_name: str
    hash: str
    steps: list[dict[str, Any]]
    engine_paused: bool
    engine_reason: str | None


def find_workflow(source: Session | Database, name: str) -> WorkflowRow | None:
    """The workflow of this name, None when there is none or it was deleted."""
    rows = _rows(source, _FIND_WORKFLOW, {"name": name})
    return WorkflowRow(*rows[0]) if rows else None


def find_products(session: Session, workflow_id: UUID) -> dict[UUID, str]:
    """The names of the products that a workflow is for, by id; those at the end of their life are left out."""
    rows = session.execute(_FIND_PRODUCTS, {"workflow_id": workflow_id})
    return {row.product_id: row.name for row in rows}


def find_start_subject(session: Session, subscription_id: UUID, workflow_id: UUID) -> StartSubject | None:
    """The subscription that a workflow is to be started on, None when there is none."""
    values = {"subscription_id": subscription_id, "workflow_id": workflow_id}
    row = session.execute(_FIND_START_SUBJECT, values).mappings().one_or_none()
    return None if row is None else StartSubject(**row)


def insert_process(target: Session | Database, values: Mapping[str, Any]) -> int:
    """Make a process, in the transaction of a session or in one of its own, and tell the audit; its seq.

    `values` has process_id, workflow_id, workflow_name, hash, steps, target, is_task, step_key, state, created_by,
    pages, subscription_id (or None), actor and request_id (or None).
    """
    ((seq,),) = _rows(target, _START, _with_json(values, "steps", "state", "pages"))
    return int(seq)


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
    return _found(session, _ANSWER, _with_json(values, "delta", "pages"))


def retry_process(session: Session, values: Mapping[str, Any]) -> bool:
    """Let a step run again; False when the process is no longer as it was `seen`.

    `values` has seq, change_seq and seen (a status), and status, the new one.
    """
    return _found(session, _RETRY, values)


def abort_process(session: Session, values: Mapping[str, Any]) -> None:
    """End a process that the caller has locked: seq, status, step_status, key, name, reason, error and created_by."""
    session.execute(_ABORT, _with_json(values, "error"))


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


def _rows(
    target: Session | Database, statement: TextClause, values: Mapping[str, Any]
) -> Sequence[Row[Any] | tuple[Any, ...]]:
    match target:
        case Database():
            return target.alone(statement, values)
        case Session():
            return target.execute(statement, values).all()


def _found(session: Session, statement: TextClause, values: Mapping[str, Any]) -> bool:
    return session.execute(statement, values).one_or_none() is not None


def _with_json(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {**values, **{name: dump_json(values[name]) for name in names}}
