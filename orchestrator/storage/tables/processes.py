"""Processes, their steps, and the switch of the engine."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from orchestrator.storage.tables.declarative import GROWING, Base, Json, JsonValue, Now, Sequence, vacuumed_at

_STATUSES = (
    "'created','running','suspended','waiting','awaiting_callback','failed','inconsistent_data','api_unavailable',"
    "'aborted','completed','resumed'"
)


class ProcessTable(Base):
    """One run of a workflow.

    `seq` orders everything and is the key of the advisory lock. `position` is the index of the next step in the pinned
    step list of `version_id`; `claim` is the token of whoever runs it now; `attempt` counts its claims, `excused` those
    of them that the server ended. Its state is `state || recent`: what steps change is kept apart from a large state
    for a while, so that not each of them writes all of it anew. Of one that has ended `state` may be NULL: it was
    large, and is what its last beginning and the steps since tell. Its own time limit counts from `limit_since` (None:
    from the next claim), and strikes at `expires_at` while it waits.

    No index is on a column that each step changes, so that its updates can stay on their page (HOT).
    """

    __tablename__ = "processes"
    __table_args__ = (
        CheckConstraint(f"status IN ({_STATUSES})", name="status"),
        Index("ix_processes_process_id", "process_id"),
        Index("ix_processes_runnable", "seq", postgresql_where=text("status IN ('created','running','resumed')")),
        Index("ix_processes_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
        Index("ix_processes_expires", "expires_at", postgresql_where=text("expires_at IS NOT NULL")),
        Index("ix_processes_status_seq_is_task", "status", "seq", postgresql_include=["is_task"]),
        Index("ix_processes_started_at_seq", "started_at", "seq"),
        Index("ix_processes_target_started_at_seq", "target", "started_at", "seq"),
        Index("ix_processes_is_task_seq", "is_task", "seq"),
        Index("ix_processes_workflow_id_seq", "workflow_id", "seq"),
        Index("ix_processes_parent_seq", "parent_seq", postgresql_where=text("parent_seq IS NOT NULL")),
        Index("ix_processes_waiting_for_seq", "waiting_for", "seq", postgresql_where=text("waiting_for IS NOT NULL")),
        Index("ix_processes_assignee_seq", "assignee", "seq", postgresql_where=text("assignee <> 'SYSTEM'")),
        Index("ix_processes_paused", "seq", postgresql_where=text("paused")),
        Index("ix_processes_failed_reason", "seq", postgresql_where=text("failed_reason IS NOT NULL")),
        Index("ix_processes_note", "seq", postgresql_where=text("note IS NOT NULL")),
        {
            "postgresql_with": {
                "fillfactor": "70",
                **vacuumed_at(0.02),
                "toast.autovacuum_vacuum_scale_factor": "0.05",
            }
        },
    )

    seq: Mapped[Sequence]
    process_id: Mapped[UUID] = mapped_column(default=uuid7)
    workflow_id: Mapped[UUID] = mapped_column(ForeignKey("workflows.workflow_id"))
    version_id: Mapped[int] = mapped_column(ForeignKey("workflow_versions.version_id"))
    target: Mapped[str]
    is_task: Mapped[bool] = mapped_column(server_default=text("false"))
    status: Mapped[str] = mapped_column(server_default="created")
    waiting_for: Mapped[str | None]
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    position: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    generation: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    step_key: Mapped[str | None]
    last_step: Mapped[str | None]
    claim: Mapped[UUID | None]
    attempt: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    excused: Mapped[int] = mapped_column(Integer, server_default=text("0"))
    claimed_at: Mapped[datetime | None]
    claimed_by: Mapped[str | None]
    deadline: Mapped[datetime | None]
    rung_at: Mapped[Now]
    due_at: Mapped[datetime | None]
    waiting_since: Mapped[datetime | None]
    limit_since: Mapped[datetime | None] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime | None]
    state: Mapped[Json | None] = mapped_column(server_default=text("'{}'::jsonb"))
    recent: Mapped[Json] = mapped_column(server_default=text("'{}'::jsonb"))
    assignee: Mapped[str] = mapped_column(server_default="SYSTEM")
    created_by: Mapped[str]
    started_at: Mapped[Now]
    last_modified_at: Mapped[Now]
    change_seq: Mapped[int] = mapped_column(BigInteger, server_default=text("1"))
    failed_reason: Mapped[str | None]
    traceback: Mapped[str | None]
    note: Mapped[str | None]
    parent_seq: Mapped[int | None]
    parent_position: Mapped[int | None] = mapped_column(Integer)
    parent_generation: Mapped[int | None] = mapped_column(Integer)
    parent_branch: Mapped[str | None]


class ProcessStepTable(Base):
    """What one attempt at a step ended in. `delta` is what it changed in the state, `removed` the keys it deleted."""

    __tablename__ = "process_steps"
    __table_args__ = (
        CheckConstraint(
            "status IN ('success','skipped','suspend','waiting','awaiting_callback','failed','abort','complete')",
            name="status",
        ),
        Index("ix_process_steps_process_seq_step_id", "process_seq", "step_id"),
        Index("ix_process_steps_task_id", "task_id", postgresql_where=text("task_id IS NOT NULL")),
        Index(
            "uq_process_steps_recorded_once",
            "process_seq",
            "position",
            "generation",
            unique=True,
            postgresql_where=text("status IN ('success','skipped','complete')"),
        ),
        UniqueConstraint("claim"),
        GROWING,
    )

    step_id: Mapped[Sequence]
    process_seq: Mapped[int] = mapped_column(ForeignKey("processes.seq", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(Integer)
    generation: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    key: Mapped[str]
    name: Mapped[str]
    status: Mapped[str]
    delta: Mapped[Json] = mapped_column(server_default=text("'{}'::jsonb"))
    removed: Mapped[list[str]] = mapped_column(server_default=text("'{}'::text[]"))
    attempt: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    error: Mapped[Any | None] = mapped_column(JSONB)
    created_by: Mapped[str]
    started_at: Mapped[Now]
    completed_at: Mapped[Now]
    worker: Mapped[str | None]
    claim: Mapped[UUID | None]
    task_id: Mapped[str | None]


class ProcessSubscriptionTable(Base):
    """A process acts on a subscription; `before` is the subscription as it was when the process took it.

    `given_back`: the process failed and gave it back, and takes it again when it goes on.
    """

    __tablename__ = "process_subscriptions"
    __table_args__ = (GROWING,)

    process_seq: Mapped[int] = mapped_column(ForeignKey("processes.seq", ondelete="CASCADE"), primary_key=True)
    subscription_id: Mapped[UUID] = mapped_column(
        ForeignKey("subscriptions.subscription_id", ondelete="CASCADE"), primary_key=True, index=True
    )
    before: Mapped[Any | None] = mapped_column(JSONB)
    created_at: Mapped[Now]
    given_back: Mapped[bool] = mapped_column(server_default=text("false"))


class ProcessStartTable(Base):
    """Where a process began to run: at its start, and again by each rerun and migrate.

    `state` is the state there; with the step rows of the generation it tells the state before each of its steps.
    """

    __tablename__ = "process_starts"
    __table_args__ = (
        CheckConstraint("cause IN ('start','rerun','migrate')", name="cause"),
        Index("ix_process_starts_process_seq", "process_seq"),
        GROWING,
    )

    start_id: Mapped[Sequence]
    process_seq: Mapped[int] = mapped_column(ForeignKey("processes.seq", ondelete="CASCADE"))
    generation: Mapped[int] = mapped_column(Integer)
    version_id: Mapped[int] = mapped_column(ForeignKey("workflow_versions.version_id"))
    position: Mapped[int] = mapped_column(Integer)
    step_key: Mapped[str | None]
    cause: Mapped[str]
    state: Mapped[Json]
    created_by: Mapped[str]
    reason: Mapped[str | None]
    created_at: Mapped[Now]


class ProcessInputTable(Base):
    """What a person entered: `pages` as posted, for the start (`step_key` null) or for one input step."""

    __tablename__ = "process_inputs"
    __table_args__ = (Index("ix_process_inputs_process_seq", "process_seq"), GROWING)

    input_id: Mapped[Sequence]
    process_seq: Mapped[int] = mapped_column(ForeignKey("processes.seq", ondelete="CASCADE"))
    position: Mapped[int | None] = mapped_column(Integer)
    step_key: Mapped[str | None]
    pages: Mapped[JsonValue]
    created_by: Mapped[str]
    created_at: Mapped[Now]


class IdempotencyKeyTable(Base):
    """The answer that a key was given, so that the same request gets the same answer."""

    __tablename__ = "idempotency_keys"
    __table_args__ = (Index("ix_idempotency_keys_expires_at", "expires_at"),)

    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    request_hash: Mapped[str]
    answer: Mapped[JsonValue]
    created_at: Mapped[Now]
    expires_at: Mapped[datetime]


class EngineSettingsTable(Base):
    """The one row that says whether the engine may start steps."""

    __tablename__ = "engine_settings"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, server_default=text("1"), autoincrement=False)
    paused: Mapped[bool] = mapped_column(server_default=text("false"))
    reason: Mapped[str | None]
    changed_by: Mapped[str | None]
    changed_at: Mapped[Now]
