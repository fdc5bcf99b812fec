"""What the clock does with schedules that are due: one transaction for each due time, so that it runs once.

In it: the row of the schedule is locked, the due time gets its one row, the process is written, and the schedule moves
on. Whoever dies before the commit has done nothing; whoever comes second finds another due time.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.orm import Session

from orchestrator.domain.due_times import next_run
from orchestrator.engine.bell import Ring
from orchestrator.errors import CodeFailedError, EnginePausedError, FormIncompleteError, OrchestratorError
from orchestrator.language.vocabulary import Actor
from orchestrator.services.context import Context
from orchestrator.services.schedule_plans import Overlap, plan_of
from orchestrator.services.starting import Prepared, prepare_start, write_start
from orchestrator.storage.schedule_statements import (
    Moment,
    advance,
    due_schedules,
    is_busy,
    lock_schedule,
    queued_run,
    read_moment,
    record_run,
    settle_run,
    unblocked_schedules,
)
from orchestrator.storage.tables import ScheduleTable

log = structlog.get_logger(__name__)

STILL_RUNS = "a process of an earlier run is under way"
ONE_WAITS = "a process of an earlier run is under way, and one run waits already"


@dataclass(frozen=True)
class Agenda:
    """What there is to do at a moment: schedules that are due, and those whose waiting run waits no longer."""

    moment: Moment
    due: tuple[UUID, ...] = ()
    unblocked: tuple[UUID, ...] = ()


@dataclass(frozen=True)
class _Refusal:
    """Why nothing is started."""

    reason: str


def read_agenda(context: Context, most: int) -> Agenda:
    """What there is to do now; nothing while the engine is paused."""
    with context.database.reading() as session:
        moment = read_moment(session)
        if not moment.is_open:
            return Agenda(moment)
        return Agenda(moment, tuple(due_schedules(session, most)), tuple(unblocked_schedules(session, most)))


def run_due(context: Context, schedule_id: UUID, horizon: datetime) -> bool:
    """Deal with the next due time of a schedule, if it has come and nobody else does; whether this was done here.

    Args:
        context: of this process of the operating system.
        schedule_id: which one.
        horizon: a run that should have begun before this moment was missed; it stands for all that were due up to now.
    """
    with context.database.reading(with_authors=True) as session:
        seen = session.get(ScheduleTable, schedule_id)
        now = read_moment(session).now
        if seen is None or seen.paused or seen.due_at is None or seen.run_at is None or seen.run_at > now:
            return False
        busy = seen.overlap != Overlap.ALLOW and is_busy(session, schedule_id)
        found = None if busy else _prepared(context, session, seen)
    if isinstance(found, EnginePausedError):
        return False
    missed = seen.run_at < horizon
    ring: Ring | None = None
    with context.database.transaction(_actor(seen).name) as session:
        row = lock_schedule(session, schedule_id)
        if row is None or row.paused or (row.due_at, row.version) != (seen.due_at, seen.version):
            return False
        if isinstance(found, Prepared) and seen.overlap != Overlap.ALLOW and is_busy(session, schedule_id):
            return False  # somebody has run it by hand since: the next look skips or queues
        now = read_moment(session).now
        run = {"schedule_id": schedule_id, "due_at": seen.due_at, "missed_until": now if missed else None}
        if record_run(session, {**run, **_came_to(session, seen, found)}) and isinstance(found, Prepared):
            ring = write_start(session, _actor(seen), found, _actor(seen).name)
        following = next_run(plan_of(row), str(schedule_id), now if missed else seen.due_at)
        due_at, run_at = (None, None) if following is None else (following.due_at, following.run_at)
        advance(session, schedule_id, due_at, run_at)
    if ring is not None:
        context.bell.ring([ring])
    return True


def run_unblocked(context: Context, schedule_id: UUID) -> bool:
    """Start the run of a schedule that waited for the one before it, if that has ended; whether this was done here."""
    with context.database.reading(with_authors=True) as session:
        seen = session.get(ScheduleTable, schedule_id)
        if seen is None or seen.paused or is_busy(session, schedule_id):
            return False
        found = _prepared(context, session, seen)
    if isinstance(found, EnginePausedError):
        return False
    ring: Ring | None = None
    with context.database.transaction(_actor(seen).name) as session:
        row = lock_schedule(session, schedule_id)
        waiting = None if row is None else queued_run(session, schedule_id)
        if row is None or waiting is None or row.paused or row.version != seen.version:
            return False
        if is_busy(session, schedule_id):
            return False
        if isinstance(found, Prepared):
            settle_run(session, waiting, "started", process_id=found.process_id)
            ring = write_start(session, _actor(seen), found, _actor(seen).name)
        else:
            settle_run(session, waiting, "refused", reason=found.reason)
    if ring is not None:
        context.bell.ring([ring])
    return True


def _prepared(context: Context, session: Session, seen: ScheduleTable) -> Prepared | _Refusal | EnginePausedError:
    owner = Actor(seen.owner, tuple(seen.owner_roles))
    try:
        return prepare_start(context, session, owner, seen.workflow_name, seen.pages, _actor(seen).name)
    except EnginePausedError as paused:
        return paused
    except (OperationalError, InterfaceError, PoolTimeoutError):
        raise  # the schedule stays due
    except FormIncompleteError:
        return _Refusal("the form asks for another page by now: edit the schedule's input")
    except CodeFailedError as error:
        log.warning("a schedule cannot start its workflow", schedule_id=str(seen.schedule_id), exc_info=error)
        return _Refusal(str(error))
    except OrchestratorError as error:
        return _Refusal(str(error))
    except Exception as error:
        log.warning("a schedule cannot start its workflow", schedule_id=str(seen.schedule_id), exc_info=error)
        return _Refusal(f"the workflow's code failed with {type(error).__name__}")


def _came_to(session: Session, seen: ScheduleTable, found: Prepared | _Refusal | None) -> dict[str, object]:
    match found:
        case Prepared():
            return {"outcome": "started", "process_id": found.process_id}
        case _Refusal(reason):
            return {"outcome": "refused", "reason": reason}
        case None if seen.overlap == Overlap.SKIP:
            return {"outcome": "skipped", "reason": STILL_RUNS}
        case None if queued_run(session, seen.schedule_id) is None:
            return {"outcome": "queued", "reason": STILL_RUNS}
        case None:
            return {"outcome": "skipped", "reason": ONE_WAITS}


def _actor(schedule: ScheduleTable) -> Actor:
    """Who starts the process, for the audit: the schedule, in the name of its owner."""
    return Actor(f"schedule {schedule.name} ({schedule.owner})")
