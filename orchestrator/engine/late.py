"""Processes that wait past a time limit: the clock fails them, since no worker has them in its hands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import class_row

from orchestrator.engine.record import is_check
from orchestrator.engine.time_limits import callback_time_limit_error, process_time_limit_error
from orchestrator.language.transitions import ProcessValue, after_time_limit
from orchestrator.language.vocabulary import ProcessStatus
from orchestrator.storage.late_statements import FAIL_LATE, FIND_LATE, HURRY
from orchestrator.storage.step_statements import GIVE_BACK_HELD

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Late:
    """A process that waits past a limit of so many `seconds`: of the callback that it waits for, or its own."""

    seq: int
    process_id: UUID
    status: str
    position: int
    generation: int
    step_key: str
    change_seq: int
    created_by: str
    target: str
    takes_unchecked: bool
    steps: int
    name: str
    of_callback: bool
    seconds: float | None


def fail_late(connection: psycopg.Connection[tuple[Any, ...]], most: int) -> None:
    """Fail those that are late, each in a transaction of its own that gives back what a check holds.

    Raises:
        psycopg.Error: the database does not answer.
    """
    with connection.cursor(row_factory=class_row(Late)) as cursor:
        found = cursor.execute(FIND_LATE, {"most": most}).fetchall()
    for late in found:
        try:
            with connection.transaction():
                connection.execute(HURRY)
                _fail(connection, late)
        except psycopg.errors.LockNotAvailable:
            log.info("a process past its time limit is in use at this moment", process_id=str(late.process_id))
        except psycopg.Error as error:
            if connection.closed:
                raise
            # One that cannot be failed keeps nobody else from going on.
            told = str(error).strip()
            log.error("a process past its time limit cannot be failed", process_id=str(late.process_id), error=told)


def _fail(connection: psycopg.Connection[tuple[Any, ...]], late: Late) -> None:
    error = callback_time_limit_error(late.seconds) if late.of_callback else process_time_limit_error(late.seconds or 0)
    reason = str(error)
    process = ProcessValue(ProcessStatus(late.status), late.position, late.steps)
    transition = after_time_limit(process, reason)
    # Before the process, as steps that take a subscription do it.
    if is_check(late.target, late.takes_unchecked):
        held = {"seq": late.seq, "process_id": late.process_id, "key": late.step_key, "changed_by": late.created_by}
        connection.execute(GIVE_BACK_HELD, held)
    values = {
        "seq": late.seq,
        "change_seq": late.change_seq,
        "position": late.position,
        "generation": late.generation,
        "key": late.step_key,
        "name": late.name,
        "status": transition.process.status,
        "step_status": transition.step_status,
        "reason": reason,
        "failed_reason": f"Step {late.name!r} ({late.step_key}): {reason}",
        "class": type(error).__name__,
        "created_by": late.created_by,
    }
    if connection.execute(FAIL_LATE, values).fetchone() is None:
        raise psycopg.Rollback
    log.info("a process waited past its time limit", process_id=str(late.process_id), error=reason)
