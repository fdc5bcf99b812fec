"""The statements that set a process to another place: past a step, back to one, or to another version's list.

The caller has locked the process. Each takes the claim away, so that nothing of before is recorded any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.storage.database import dump_json

_SKIP: Final = text("""
WITH p AS (
    UPDATE processes
    SET status = :status, position = :next_position, step_key = :next_key, last_step = :name, assignee = 'SYSTEM',
        claim = NULL, attempt = 0, deadline = NULL, waiting_for = NULL, due_at = NULL, expires_at = NULL,
        waiting_since = NULL, failed_reason = NULL, traceback = NULL, rung_at = clock_timestamp(),
        last_modified_at = clock_timestamp(), change_seq = change_seq + 1
    WHERE seq = :seq
    RETURNING seq, generation
)
INSERT INTO process_steps (process_seq, position, generation, key, name, status, error, created_by)
SELECT seq, :position, generation, :key, :name, :step_status, CAST(:error AS jsonb), :created_by FROM p
""")

_MOVE: Final = text("""
WITH p AS (
    UPDATE processes
    SET status = :status, position = :position, step_key = :key, generation = :generation, version_id = :version_id,
        state = CAST(:state AS jsonb), recent = '{}', assignee = 'SYSTEM', claim = NULL, attempt = 0, deadline = NULL,
        waiting_for = NULL, due_at = NULL, waiting_since = NULL, failed_reason = NULL, traceback = NULL,
        rung_at = clock_timestamp(), last_modified_at = clock_timestamp(), change_seq = change_seq + 1
    WHERE seq = :seq
    RETURNING seq, generation, version_id, position, step_key, state
)
INSERT INTO process_starts (process_seq, generation, version_id, position, step_key, cause, state, created_by, reason)
SELECT seq, generation, version_id, position, step_key, :cause, state, :created_by, :reason FROM p
""")

# A child that ends locks its own row, and then that of its parent.
_LOCK_CHILDREN: Final = text("SELECT FROM processes WHERE parent_seq = :seq ORDER BY seq FOR NO KEY UPDATE")

_MOVE_CHILDREN: Final = text("""
UPDATE processes SET parent_position = :position, parent_generation = :generation
WHERE parent_seq = :seq AND parent_position = :old_position AND parent_generation = :old_generation
""")

_BEGINNINGS: Final = text("SELECT generation, state FROM process_starts WHERE process_seq = :seq ORDER BY start_id")

_RECORDED: Final = text("""
SELECT generation, key, delta, removed FROM process_steps
WHERE process_seq = :seq AND status IN ('success', 'skipped', 'complete') ORDER BY step_id
""")

_FROM_POSITION: Final = text("""
SELECT position, key, status IN ('success', 'skipped', 'complete') AS is_recorded FROM process_steps
WHERE process_seq = :seq AND generation = :generation AND position >= :position
""")

# The version of a workflow, made when it is new.
_PIN_VERSION: Final = text("""
WITH found AS (
    SELECT version_id FROM workflow_versions WHERE workflow_name = :workflow_name AND hash = :hash
), made AS (
    INSERT INTO workflow_versions (workflow_name, hash, steps)
    SELECT CAST(:workflow_name AS text), CAST(:hash AS text), CAST(:steps AS jsonb) WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (workflow_name, hash) DO UPDATE SET hash = EXCLUDED.hash
    RETURNING version_id
)
SELECT version_id FROM found UNION ALL SELECT version_id FROM made
""")


@dataclass(frozen=True)
class PastRow:
    """A row of a step at a position; `is_recorded`: there can be one such at a position in a generation."""

    position: int
    key: str
    is_recorded: bool


def skip_step(session: Session, values: Mapping[str, Any]) -> None:
    """Go past a step.

    `values` has seq, position, key and name of the step, status, step_status, next_position, next_key, error and
    created_by.
    """
    session.execute(_SKIP, {**values, "error": dump_json(values["error"])})


def move_process(session: Session, values: Mapping[str, Any]) -> None:
    """Set a process to a place and note that it begins there.

    `values` has seq, status, position, key, generation, version_id, state, cause, created_by and reason.
    """
    session.execute(_MOVE, {**values, "state": dump_json(values["state"])})


def lock_children(session: Session, seq: int) -> None:
    """Nobody else changes the children of a process before this transaction ends; to be done before it is locked."""
    session.execute(_LOCK_CHILDREN, {"seq": seq})


def move_children(session: Session, seq: int, old: tuple[int, int], new: tuple[int, int]) -> None:
    """Let the children that a process waits for at one place be those of another: (position, generation) of each."""
    places = {"old_position": old[0], "old_generation": old[1], "position": new[0], "generation": new[1]}
    session.execute(_MOVE_CHILDREN, {"seq": seq, **places})


def beginnings_of(session: Session, seq: int) -> list[tuple[int, dict[str, Any]]]:
    """(generation, state) of each place that a process began from, in their order."""
    return [(row.generation, row.state) for row in session.execute(_BEGINNINGS, {"seq": seq})]


def recorded_of(session: Session, seq: int) -> list[tuple[int, str, dict[str, Any], list[str]]]:
    """(generation, key, delta, removed keys) of each step that was done or skipped, in their order."""
    rows = session.execute(_RECORDED, {"seq": seq})
    return [(row.generation, row.key, row.delta, row.removed) for row in rows]


def rows_from(session: Session, seq: int, generation: int, position: int) -> list[PastRow]:
    """What this generation of a process has recorded at this position and behind it."""
    values = {"seq": seq, "generation": generation, "position": position}
    return [PastRow(**row) for row in session.execute(_FROM_POSITION, values).mappings()]


def pin_version(session: Session, workflow_name: str, version: str, steps: list[dict[str, Any]]) -> int:
    """The id of a version of a workflow with these steps."""
    values = {"workflow_name": workflow_name, "hash": version, "steps": dump_json(steps)}
    found: int = session.execute(_PIN_VERSION, values).scalar_one()
    return found
