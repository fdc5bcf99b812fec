"""Statements that only look at processes: for lists, and for one process with its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, select, text
from sqlalchemy.orm import Session

from orchestrator.storage.subscription_finding import of_product
from orchestrator.storage.subscription_relations import RelatedSubscription
from orchestrator.storage.tables import (
    ProcessSubscriptionTable,
    ProcessTable,
    SubscriptionTable,
    WorkflowTable,
)

# A process that has ended while it was paused is paused no more.
IS_PAUSED: Final[ColumnElement[bool]] = and_(ProcessTable.paused, ProcessTable.status.not_in(["completed", "aborted"]))

# What a list shows of a process. State and traceback can be large, so only the detail has them.
PROCESSES: Final[Any] = select(
    ProcessTable.seq,
    ProcessTable.process_id,
    ProcessTable.workflow_id,
    WorkflowTable.name.label("workflow_name"),
    ProcessTable.target,
    ProcessTable.is_task,
    ProcessTable.status,
    IS_PAUSED.label("paused"),
    ProcessTable.waiting_for,
    ProcessTable.due_at,
    ProcessTable.last_step,
    ProcessTable.assignee,
    ProcessTable.created_by,
    ProcessTable.started_at,
    ProcessTable.last_modified_at,
    ProcessTable.failed_reason,
    ProcessTable.note,
).join(WorkflowTable, WorkflowTable.workflow_id == ProcessTable.workflow_id)

# So many subscriptions are named one by one when processes on them are asked for: the planner then knows how few these
# are. Of more it guesses, and mostly goes through the newest processes until it has found a page of them.
_FEW: Final = 1_000

# All statements of a transaction that begins with this one see the same moment.
_ONE_MOMENT: Final = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

_FIND_PROCESS: Final = text("""
SELECT p.seq, p.process_id, p.workflow_id, w.name AS workflow_name, p.target, p.is_task, p.status, p.waiting_for,
       p.due_at, p.last_step, p.assignee, p.created_by, p.started_at, p.last_modified_at, p.failed_reason, p.note,
       p.traceback, p.state || p.recent AS state, p.position, p.step_key, p.claim IS NOT NULL AS is_claimed,
       p.claimed_at, p.claimed_by, p.attempt, p.paused AND p.status NOT IN ('completed', 'aborted') AS paused,
       v.workflow_name AS pinned_workflow, v.steps
FROM processes p JOIN workflows w USING (workflow_id) JOIN workflow_versions v USING (version_id)
WHERE p.process_id = :process_id
""")

_STEPS: Final = text("""
SELECT step_id, position, generation, key, name, status, delta, removed, attempt, error, created_by, started_at,
       completed_at, worker, task_id
FROM process_steps WHERE process_seq = :seq ORDER BY step_id
""")

_STARTS: Final = text("""
SELECT generation, position, step_key, cause, created_by, reason, created_at
FROM process_starts WHERE process_seq = :seq ORDER BY start_id
""")

_SUBSCRIPTIONS: Final = text("""
SELECT l.process_seq, s.subscription_id, s.description, s.status, s.insync, s.customer_id, s.start_date, s.end_date,
       s.note, s.version, p.product_id, p.name AS product_name, p.product_type, p.tag
FROM process_subscriptions l JOIN subscriptions s USING (subscription_id) JOIN products p USING (product_id)
WHERE l.process_seq = ANY(:seqs) ORDER BY l.created_at, s.seq
""")


@dataclass(frozen=True)
class DetailRow:
    """A process as it stands. `steps` is the pinned list; `is_claimed`: somebody runs its next step. `state` is None
    when it has ended and its steps tell it."""

    seq: int
    process_id: UUID
    workflow_id: UUID
    workflow_name: str
    target: str
    is_task: bool
    status: str
    waiting_for: str | None
    due_at: datetime | None
    last_step: str | None
    assignee: str
    created_by: str
    started_at: datetime
    last_modified_at: datetime
    failed_reason: str | None
    note: str | None
    traceback: str | None
    state: dict[str, Any] | None
    position: int
    step_key: str | None
    is_claimed: bool
    claimed_at: datetime | None
    claimed_by: str | None
    attempt: int
    paused: bool
    pinned_workflow: str
    steps: list[dict[str, Any]]


@dataclass(frozen=True)
class StepRow:
    """What one attempt at a step ended in."""

    step_id: int
    position: int
    generation: int
    key: str
    name: str
    status: str
    delta: dict[str, Any]
    removed: list[str]
    attempt: int
    error: Any
    created_by: str
    started_at: datetime
    completed_at: datetime
    worker: str | None
    task_id: str | None


@dataclass(frozen=True)
class StartRow:
    """A place from which a process began to run: at its start, or by a rerun or migrate of an operator."""

    generation: int
    position: int
    step_key: str | None
    cause: str
    created_by: str
    reason: str | None
    created_at: datetime


def see_one_moment(session: Session) -> None:
    """Let all that follows in this transaction see the same moment. Has to be its first statement."""
    session.execute(_ONE_MOMENT)


def find_detail(session: Session, process_id: UUID) -> DetailRow | None:
    """A process, None when there is none."""
    row = session.execute(_FIND_PROCESS, {"process_id": process_id}).mappings().one_or_none()
    return None if row is None else DetailRow(**row)


def steps_of(session: Session, seq: int) -> list[StepRow]:
    """The step rows of a process in the order in which they were written."""
    return [StepRow(**row) for row in session.execute(_STEPS, {"seq": seq}).mappings()]


def starts_of(session: Session, seq: int) -> list[StartRow]:
    """Where a process began to run, in the order in which it did."""
    return [StartRow(**row) for row in session.execute(_STARTS, {"seq": seq}).mappings()]


def subscriptions_of(session: Session, seqs: Sequence[int]) -> dict[int, list[RelatedSubscription]]:
    """The subscriptions that processes work on, by the seq of the process, the first one first."""
    found: dict[int, list[RelatedSubscription]] = {}
    for row in session.execute(_SUBSCRIPTIONS, {"seqs": list(seqs)}).mappings():
        values = dict(row)
        found.setdefault(values.pop("process_seq"), []).append(RelatedSubscription(**values))
    return found


def runs_workflow(session: Session, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True for processes of the workflows for which a condition holds."""
    return ProcessTable.workflow_id.in_(session.scalars(select(WorkflowTable.workflow_id).where(condition)).all())


def works_on(session: Session, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True for processes that work on a subscription for which a condition on it holds."""
    links = select(ProcessSubscriptionTable.process_seq).where(ProcessSubscriptionTable.process_seq == ProcessTable.seq)
    few = select(SubscriptionTable.subscription_id).where(condition).limit(_FEW + 1)
    found = session.scalars(few).all()
    if len(found) <= _FEW:
        links = links.where(ProcessSubscriptionTable.subscription_id.in_(found))
    else:
        same = SubscriptionTable.subscription_id == ProcessSubscriptionTable.subscription_id
        links = links.join(SubscriptionTable, same).where(condition)
    return links.correlate(ProcessTable).exists()


def works_on_product(session: Session, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True for processes that work on a subscription to a product for which a condition holds."""
    return works_on(session, of_product(session, condition))
