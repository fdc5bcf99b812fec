"""Schedules as the API and the command line show them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from orchestrator.domain.due_times import DueTime, next_runs
from orchestrator.errors import ScheduleNotFoundError
from orchestrator.services.context import Context
from orchestrator.services.lists import Field, Kind, ListDefinition, ListQuery, Page, list_page
from orchestrator.services.schedule_plans import Overlap, plan_of
from orchestrator.storage.schedule_statements import read_moment
from orchestrator.storage.tables import ScheduleRunTable, ScheduleTable, SubscriptionTable, WorkflowTable

SHOWN_NEXT: Final = 5
SHOWN_LAST: Final = 10

SCHEDULES: Final = (
    select(
        ScheduleTable,
        WorkflowTable.workflow_id,
        WorkflowTable.target,
        WorkflowTable.description.label("workflow_description"),
        SubscriptionTable.description.label("subscription_description"),
    )
    .outerjoin(
        WorkflowTable, and_(WorkflowTable.name == ScheduleTable.workflow_name, WorkflowTable.deleted_at.is_(None))
    )
    .outerjoin(SubscriptionTable, SubscriptionTable.subscription_id == ScheduleTable.subscription_id)
)

SCHEDULE_LIST: Final = ListDefinition(
    "schedules",
    SCHEDULES,
    {
        "schedule_id": Field(ScheduleTable.schedule_id, Kind.UUID),
        "name": Field(ScheduleTable.name, Kind.TEXT),
        "workflow_name": Field(ScheduleTable.workflow_name, Kind.TEXT),
        "workflow_id": Field(WorkflowTable.workflow_id, Kind.UUID, sortable=False),
        "subscription_id": Field(ScheduleTable.subscription_id, Kind.UUID, sortable=False),
        "paused": Field(ScheduleTable.paused, Kind.BOOLEAN),
        "overlap": Field(ScheduleTable.overlap, Kind.WORD, words=tuple(Overlap)),
        "next_run_at": Field(ScheduleTable.run_at, Kind.TIME, sortable=False),
        "owner": Field(ScheduleTable.owner, Kind.TEXT),
        "created_by": Field(ScheduleTable.created_by, Kind.TEXT),
        "created_at": Field(ScheduleTable.created_at, Kind.TIME),
    },
    tie=ScheduleTable.schedule_id,
)

RUN_LIST: Final = ListDefinition(
    "runs",
    select(ScheduleRunTable),
    {
        "due_at": Field(ScheduleRunTable.due_at, Kind.TIME),
        "outcome": Field(
            ScheduleRunTable.outcome, Kind.WORD, sortable=False, words=("started", "queued", "skipped", "refused")
        ),
        "process_id": Field(ScheduleRunTable.process_id, Kind.UUID, sortable=False),
        "requested_by": Field(ScheduleRunTable.requested_by, Kind.TEXT, sortable=False),
    },
    tie=ScheduleRunTable.run_id,
)


@dataclass(frozen=True)
class ScheduleRun:
    """What one due time came to: started, queued, skipped or refused, and why.

    `missed_until`: nobody looked when it was due, and it stands for all due times up to this moment.
    """

    due_at: datetime
    outcome: str
    process_id: UUID | None
    reason: str | None
    missed_until: datetime | None
    requested_by: str | None
    recorded_at: datetime


@dataclass(frozen=True)
class ScheduleView:
    """A schedule. `next_run_at` is None when it is paused, or when no further run comes."""

    schedule_id: UUID
    name: str
    workflow_name: str
    workflow_id: UUID | None
    workflow_target: str | None
    workflow_description: str | None
    has_code: bool
    user_inputs: Any
    subscription_id: UUID | None
    subscription_description: str | None
    cron: str | None
    every: float | None
    at: datetime | None
    time_zone: str
    jitter: float
    overlap: str
    start_at: datetime
    end_at: datetime | None
    paused: bool
    next_due_at: datetime | None
    next_run_at: datetime | None
    version: int
    owner: str
    created_by: str
    created_at: datetime
    last_modified_at: datetime
    last_run: ScheduleRun | None


@dataclass(frozen=True)
class ScheduleDetail:
    """A schedule with its next runs, as they would be were it not paused, and its last ones, the latest first."""

    schedule: ScheduleView
    next_runs: tuple[DueTime, ...]
    last_runs: tuple[ScheduleRun, ...]


def list_schedules(context: Context, query: ListQuery) -> Page[ScheduleView]:
    """Schedules, the newest first.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        page = list_page(session, SCHEDULE_LIST, query)
        last = _last_runs(session, [row[0].schedule_id for row in page.items])
        return page.map(lambda row: _view(context, row, last.get(row[0].schedule_id)))


def list_runs(context: Context, schedule_id: UUID, query: ListQuery) -> Page[ScheduleRun]:
    """What the due times of a schedule came to, the latest first.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        if session.get(ScheduleTable, schedule_id) is None:
            raise ScheduleNotFoundError(f"there is no schedule {schedule_id}")
        narrowed = RUN_LIST.where(ScheduleRunTable.schedule_id == schedule_id)
        return list_page(session, narrowed, query).map(lambda row: _run(row[0]))


def schedule_detail(context: Context, schedule_id: UUID) -> ScheduleDetail:
    """One schedule with its next and its last runs.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
    """
    with context.database.reading() as session:
        row = session.execute(SCHEDULES.where(ScheduleTable.schedule_id == schedule_id)).one_or_none()
        if row is None:
            raise ScheduleNotFoundError(f"there is no schedule {schedule_id}")
        runs = session.scalars(
            select(ScheduleRunTable)
            .where(ScheduleRunTable.schedule_id == schedule_id)
            .order_by(ScheduleRunTable.run_id.desc())
            .limit(SHOWN_LAST)
        )
        last = tuple(_run(run) for run in runs)
        now = read_moment(session).now
        return ScheduleDetail(_view(context, row, last[0] if last else None), _next(row[0], now), last)


def _next(schedule: ScheduleTable, now: datetime) -> tuple[DueTime, ...]:
    plan, key = plan_of(schedule), str(schedule.schedule_id)
    if schedule.paused:
        return next_runs(plan, key, now, SHOWN_NEXT)
    if schedule.due_at is None or schedule.run_at is None:
        return ()
    following = next_runs(plan, key, max(schedule.due_at, now), SHOWN_NEXT - 1)
    return (DueTime(schedule.due_at, schedule.run_at), *following)


def _last_runs(session: Session, schedule_ids: Sequence[UUID]) -> dict[UUID, ScheduleRun]:
    schedule = select(ScheduleTable.schedule_id).where(ScheduleTable.schedule_id.in_(schedule_ids)).subquery()
    latest = (
        select(ScheduleRunTable)
        .where(ScheduleRunTable.schedule_id == schedule.c.schedule_id)
        .order_by(ScheduleRunTable.run_id.desc())
        .limit(1)
        .lateral()
    )
    found = session.scalars(
        select(ScheduleRunTable).from_statement(
            select(latest).select_from(schedule).join(latest, schedule.c[0] == latest.c.schedule_id)
        )
    )
    return {run.schedule_id: _run(run) for run in found}


def _run(row: ScheduleRunTable) -> ScheduleRun:
    return ScheduleRun(
        due_at=row.due_at,
        outcome=row.outcome,
        process_id=row.process_id,
        reason=row.reason,
        missed_until=row.missed_until,
        requested_by=row.requested_by,
        recorded_at=row.recorded_at,
    )


def _view(context: Context, found: Any, last_run: ScheduleRun | None) -> ScheduleView:
    row: ScheduleTable = found[0]
    return ScheduleView(
        schedule_id=row.schedule_id,
        name=row.name,
        workflow_name=row.workflow_name,
        workflow_id=found.workflow_id,
        workflow_target=found.target,
        workflow_description=found.workflow_description,
        has_code=row.workflow_name in context.catalog.workflows,
        user_inputs=row.pages,
        subscription_id=row.subscription_id,
        subscription_description=found.subscription_description,
        cron=row.cron,
        every=row.every,
        at=row.at,
        time_zone=row.time_zone,
        jitter=row.jitter,
        overlap=row.overlap,
        start_at=row.start_at,
        end_at=row.end_at,
        paused=row.paused,
        next_due_at=None if row.paused else row.due_at,
        next_run_at=None if row.paused else row.run_at,
        version=row.version,
        owner=row.owner,
        created_by=row.created_by,
        created_at=row.created_at,
        last_modified_at=row.last_modified_at,
        last_run=last_run,
    )
