"""The statements that start a process: what is looked up first, and what is written, each with its purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row, TextClause, text
from sqlalchemy.orm import Session

from orchestrator.storage.database import Database, with_json

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

# What is written with a process, by a statement whose CTE `process` makes it: its start, what was entered, the audit.
_WITH_PROCESS: Final = """
start AS (
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
"""

# Pin the version of the workflow (made when it is new), make the process with what was entered, and tell the audit.
_START: Final = text(f"""
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
), {_WITH_PROCESS}""")  # noqa: S608 - only constants

# The same of a task that was seen before: if the engine runs, and it is still there, on no product, in this version.
_START_AGAIN: Final = text(f"""
WITH process AS (
    INSERT INTO processes (process_id, workflow_id, version_id, target, is_task, step_key, state, created_by)
    SELECT CAST(:process_id AS uuid), w.workflow_id, v.version_id, w.target, true, CAST(:step_key AS text),
           CAST(:state AS jsonb), CAST(:created_by AS text)
    FROM workflows w JOIN workflow_versions v ON v.workflow_name = w.name AND v.hash = :hash
        CROSS JOIN engine_settings e
    WHERE w.workflow_id = :workflow_id AND w.name = :workflow_name AND w.deleted_at IS NULL AND w.target = 'SYSTEM'
      AND NOT EXISTS (SELECT FROM products_workflows l WHERE l.workflow_id = w.workflow_id) AND NOT e.paused
    RETURNING seq, version_id, state, step_key
), {_WITH_PROCESS}""")  # noqa: S608 - only constants


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
    ((seq,),) = _rows(target, _START, with_json(values, "steps", "state", "pages"))
    return int(seq)


def insert_task_again(database: Database, values: Mapping[str, Any]) -> int | None:
    """The same, in a transaction of its own, for a SYSTEM workflow on no product whose row was read before.

    None, and nothing is written: the engine is paused, the row is no longer like that, or this version is new.
    `values` are those of `insert_process` without steps, target and is_task.
    """
    rows = database.alone(_START_AGAIN, with_json(values, "state", "pages"))
    return int(rows[0][0]) if rows else None


def _rows(
    target: Session | Database, statement: TextClause, values: Mapping[str, Any]
) -> Sequence[Row[Any] | tuple[Any, ...]]:
    match target:
        case Database():
            return target.alone(statement, values)
        case Session():
            return target.execute(statement, values).all()
