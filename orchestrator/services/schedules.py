"""Schedules: make, change, pause, run now, delete. Each asks the workflow whether the actor may start it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from orchestrator.domain.due_times import Cron, Interval, Once, Plan, next_run
from orchestrator.errors import (
    ConflictError,
    InvalidScheduleError,
    ScheduleNotFoundError,
    StaleScheduleError,
    UnknownWorkflowError,
)
from orchestrator.language.vocabulary import Actor
from orchestrator.services import audit
from orchestrator.services.authorization import require_start
from orchestrator.services.context import Context
from orchestrator.services.forms import Pages, read_pages
from orchestrator.services.schedule_plans import Wanted, plan_of, read_plan, wanted_of
from orchestrator.services.starting import Prepared, Started, prepare_start, write_start
from orchestrator.storage.schedule_statements import queued_run, read_moment, record_run, settle_run
from orchestrator.storage.tables import ScheduleTable, WorkflowTable


def create_schedule(context: Context, actor: Actor, wanted: Wanted, *, request_id: str | None = None) -> UUID:
    """Make a schedule; its id. Its workflow starts in the name of the actor.

    Raises:
        InvalidScheduleError: a field cannot be used.
        UnknownWorkflowError: there is no such workflow.
        ForbiddenError: the actor may not start it.
        FormIncompleteError, FormInvalidError, FormOverflowError, MalformedPagesError: the pages do not fit its form.
    """
    with context.database.reading(with_authors=True) as session:
        now = read_moment(session).now
        plan = read_plan(wanted, now)
        pages, subscription_id = _checked_pages(context, session, actor, wanted)
    schedule_id = uuid7()
    with context.database.transaction(actor.name) as session:
        row = ScheduleTable(schedule_id=schedule_id, created_by=actor.name)
        _write(row, actor, wanted, plan, pages, subscription_id)
        _set_next(row, plan, read_moment(session).now)
        session.add(row)
        session.flush()
        _audit(session, actor, "create", row, after=_told(row), request_id=request_id)
    return schedule_id


def change_schedule(
    context: Context,
    actor: Actor,
    schedule_id: UUID,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
    request_id: str | None = None,
) -> None:
    """Change fields of `Wanted`; from now on it starts in the name of the actor. A new plan counts from now on.

    Args:
        context: of this process of the operating system.
        actor: who changes it.
        schedule_id: which one.
        changes: the fields to change; one of `cron`, `every` and `at` takes the place of the other.
        version: that the actor saw, if it matters.
        request_id: finds the request in the log.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
        StaleScheduleError: it has another version by now.
        OrchestratorError: as for `create_schedule`.
    """
    with context.database.reading(with_authors=True) as session:
        seen = _find(session, schedule_id)
        _require_version(seen, version)
        wanted = wanted_of(seen).changed(changes)
        plan = plan_of(seen) if _same_plan(wanted_of(seen), wanted) else read_plan(wanted, read_moment(session).now)
        read_only = _checked_pages(context, session, actor, wanted)
    with context.database.transaction(actor.name) as session:
        row = _find(session, schedule_id, lock=True)
        _require_version(row, seen.version)
        before, was = _told(row), plan_of(row)
        _write(row, actor, wanted, plan, *read_only)
        row.version += 1
        if plan != was:
            _set_next(row, plan, read_moment(session).now)
        session.flush()
        _audit(session, actor, "change", row, before=before, after=_told(row), request_id=request_id)


def pause_schedule(
    context: Context, actor: Actor, schedule_id: UUID, reason: str | None = None, *, request_id: str | None = None
) -> None:
    """Let no run of it begin. What comes due meanwhile is not made up for.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
        ConflictError: it is paused already.
        ForbiddenError: the actor may not start its workflow.
    """
    _set_paused(context, actor, schedule_id, True, reason, request_id)


def unpause_schedule(
    context: Context, actor: Actor, schedule_id: UUID, reason: str | None = None, *, request_id: str | None = None
) -> None:
    """Let it go on with its next due time from now.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
        ConflictError: it is not paused.
        ForbiddenError: the actor may not start its workflow.
    """
    _set_paused(context, actor, schedule_id, False, reason, request_id)


def run_schedule(context: Context, actor: Actor, schedule_id: UUID, *, request_id: str | None = None) -> Started:
    """Start its workflow now, in the name of the actor, whether it is paused, due, or runs already.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
        OrchestratorError: its workflow may not or cannot be started, as for `start_process`.
    """
    with context.database.reading(with_authors=True) as session:
        seen = _find(session, schedule_id)
        prepared = prepare_start(context, session, actor, seen.workflow_name, seen.pages, actor.name)
    with context.database.transaction(actor.name) as session:
        row = _find(session, schedule_id, lock=True)
        _require_version(row, seen.version)
        run = {"due_at": read_moment(session).now, "outcome": "started", "requested_by": actor.name}
        record_run(session, {"schedule_id": schedule_id, "process_id": prepared.process_id, **run})
        ring = write_start(session, actor, prepared, actor.name, request_id=request_id)
        _audit(session, actor, "run", row, process_id=prepared.process_id, request_id=request_id)
    context.bell.ring([ring])
    return Started(prepared.process_id)


def delete_schedule(context: Context, actor: Actor, schedule_id: UUID, *, request_id: str | None = None) -> None:
    """Delete it, and the list of its runs; the processes stay.

    Raises:
        ScheduleNotFoundError: there is no such schedule.
        ForbiddenError: the actor may not start its workflow.
    """
    _require_actor(context, actor, schedule_id)
    with context.database.transaction(actor.name) as session:
        row = _find(session, schedule_id, lock=True)
        _audit(session, actor, "delete", row, before=_told(row), request_id=request_id)
        session.delete(row)


def delete_schedules(
    context: Context,
    actor: Actor,
    schedule_id: UUID | None,
    workflow_id: UUID | None,
    *,
    request_id: str | None = None,
) -> int:
    """Delete a schedule, which has to be one of the workflow when both are given, or all schedules of a workflow.

    Raises:
        ScheduleNotFoundError: there is no such schedule, or none of this workflow.
        UnknownWorkflowError: there is no such workflow.
        ForbiddenError: the actor may not start the workflow.
    """
    with context.database.reading() as session:
        chosen = select(ScheduleTable.schedule_id)
        if schedule_id is not None:
            chosen = chosen.where(ScheduleTable.schedule_id == schedule_id)
        if workflow_id is not None:
            chosen = chosen.where(ScheduleTable.workflow_name == _workflow_name(session, workflow_id))
        found = list(session.scalars(chosen))
    if not found:
        raise ScheduleNotFoundError("there is no such schedule, or none of this workflow")
    for one in found:
        delete_schedule(context, actor, one, request_id=request_id)
    return len(found)


def require_workflow(context: Context, workflow_id: UUID, name: str) -> None:
    """Go on when the workflow of this id has this name.

    Raises:
        UnknownWorkflowError: there is no workflow of this id.
        InvalidScheduleError: it has another name.
    """
    with context.database.reading() as session:
        found = _workflow_name(session, workflow_id)
    if found != name:
        raise InvalidScheduleError("workflow_id", f"it is that of {found}, not of {name[:100]!r}")


def _workflow_name(session: Session, workflow_id: UUID) -> str:
    row = session.get(WorkflowTable, workflow_id)
    if row is None:
        raise UnknownWorkflowError(f"there is no workflow {workflow_id}")
    return row.name


def _set_paused(
    context: Context, actor: Actor, schedule_id: UUID, paused: bool, reason: str | None, request_id: str | None
) -> None:
    _require_actor(context, actor, schedule_id)
    with context.database.transaction(actor.name) as session:
        row = _find(session, schedule_id, lock=True)
        if row.paused == paused:
            raise ConflictError(f"schedule {schedule_id} is {'paused already' if paused else 'not paused'}")
        row.paused = paused
        row.version += 1
        if not paused:
            _set_next(row, plan_of(row), read_moment(session).now)
        elif (waiting := queued_run(session, schedule_id)) is not None:
            settle_run(session, waiting, "skipped", reason="the schedule was paused while it waited")
        said = {"before": {"paused": not paused}, "after": {"paused": paused}}
        _audit(session, actor, "pause" if paused else "unpause", row, reason=reason, request_id=request_id, **said)


def _checked_pages(context: Context, session: Session, actor: Actor, wanted: Wanted) -> tuple[Pages, UUID | None]:
    entered = read_pages(wanted.pages)
    prepared: Prepared = prepare_start(context, session, actor, wanted.workflow_name, entered, actor.name, now=False)
    if prepared.subscription_id is not None and entered:
        # The version of the subscription that the client saw would be an old one at every run.
        entered = [{key: value for key, value in entered[0].items() if key != "version"}, *entered[1:]]
    return entered, prepared.subscription_id


def _require_actor(context: Context, actor: Actor, schedule_id: UUID) -> None:
    # Asked outside of the transaction that holds the row. Where the code is gone there is nobody to ask.
    with context.database.reading(with_authors=True) as session:
        workflow = context.catalog.workflows.get(_find(session, schedule_id).workflow_name)
        if workflow is not None:
            require_start(actor, workflow)


def _find(session: Session, schedule_id: UUID, *, lock: bool = False) -> ScheduleTable:
    row = session.get(ScheduleTable, schedule_id, with_for_update=lock)
    if row is None:
        raise ScheduleNotFoundError(f"there is no schedule {schedule_id}")
    return row


def _require_version(row: ScheduleTable, version: int | None) -> None:
    if version is not None and row.version != version:
        raise StaleScheduleError(
            f"schedule {row.schedule_id} has version {row.version} by now, not {version}; look at it again"
        )


def _same_plan(before: Wanted, after: Wanted) -> bool:
    return replace(before, name=None, pages=None, overlap="") == replace(after, name=None, pages=None, overlap="")


def _write(
    row: ScheduleTable, actor: Actor, wanted: Wanted, plan: Plan, pages: Pages, subscription_id: UUID | None
) -> None:
    trigger = plan.trigger
    row.name = wanted.name or wanted.workflow_name
    row.workflow_name = wanted.workflow_name
    row.pages, row.subscription_id = pages, subscription_id
    row.cron = trigger.expression if isinstance(trigger, Cron) else None
    row.every = trigger.seconds if isinstance(trigger, Interval) else None
    row.at = trigger.at if isinstance(trigger, Once) else None
    row.time_zone, row.jitter, row.overlap = wanted.time_zone, plan.jitter, wanted.overlap
    row.start_at, row.end_at = plan.start, plan.end
    row.owner, row.owner_roles = actor.name, list(actor.roles)
    row.last_modified_at = func.now()


def _set_next(row: ScheduleTable, plan: Plan, now: Any) -> None:
    found = next_run(plan, str(row.schedule_id), now)
    row.due_at = None if found is None else found.due_at
    row.run_at = None if found is None else found.run_at


def _told(row: ScheduleTable) -> dict[str, Any]:
    told = {key: value for key, value in asdict(wanted_of(row)).items() if value is not None}
    return {key: value.isoformat() if hasattr(value, "isoformat") else value for key, value in told.items()}


def _audit(session: Session, actor: Actor, action: str, row: ScheduleTable, **told: Any) -> None:
    audit.record(session, actor, action, "schedule", row.schedule_id, subscription_id=row.subscription_id, **told)
