"""The engine as a whole: whether it starts steps, what still runs, and how it is paused and let go on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import structlog

from orchestrator.engine.bell import Ring
from orchestrator.language.vocabulary import Actor
from orchestrator.services import audit
from orchestrator.services.context import Context
from orchestrator.services.texts import check_reason
from orchestrator.storage.engine_statements import RunnableRow, lock_engine, read_engine, ring_runnable, set_engine

log = structlog.get_logger(__name__)

_BATCH: Final = 500
# About half a second. With very many to ring for, whoever lets the engine go on would wait, or lose its patience.
_MOST_RUNG_FOR: Final = 2_000


class GlobalStatus(StrEnum):
    """What the engine does: PAUSING while steps that had begun before the pause still run."""

    RUNNING = "RUNNING"
    PAUSING = "PAUSING"
    PAUSED = "PAUSED"


@dataclass(frozen=True)
class EngineStatus:
    """The engine at one moment. `running_processes`: how many processes have a step that runs."""

    global_lock: bool
    global_status: GlobalStatus
    running_processes: int
    reason: str | None


def engine_status(context: Context) -> EngineStatus:
    """What the engine does now."""
    with context.database.reading() as session:
        row = read_engine(session)
    status = GlobalStatus.RUNNING
    if row.paused:
        status = GlobalStatus.PAUSING if row.running else GlobalStatus.PAUSED
    return EngineStatus(row.paused, status, row.running, row.reason)


def set_engine_lock(
    context: Context, actor: Actor, paused: bool, reason: str | None = None, *, request_id: str | None = None
) -> EngineStatus:
    """Pause the engine, or let it go on; what it does afterwards.

    Paused, no step begins: steps that run end, timers that come due wait, starts and resumes are refused with the
    reason. When it goes on, bells are sent for processes that can go on and whose step does not run still: for
    the first 2,000 here, for the others by the clock.

    Raises:
        InvalidInputError: the reason is too long or cannot be stored.
    """
    check_reason(reason)
    with context.database.transaction(actor.name) as session:
        was_paused, old_reason = lock_engine(session)
        kept = reason if paused else None
        changes = was_paused != paused or kept != old_reason
        if changes:
            set_engine(session, {"paused": paused, "reason": kept, "changed_by": actor.name})
            audit.record(
                session,
                actor,
                "pause" if paused else "unpause",
                "engine",
                "engine",
                reason=reason,
                before={"paused": was_paused, "reason": old_reason},
                after={"paused": paused, "reason": kept},
                request_id=request_id,
            )
    if was_paused and not paused:
        _ring_for_first(context, actor)
    return engine_status(context)


def _ring_for_first(context: Context, actor: Actor) -> None:
    after, sent = 0, 0
    while sent < _MOST_RUNG_FOR:
        with context.database.transaction(actor.name) as session:
            found = ring_runnable(session, after, _BATCH)
        if not found:
            break
        rung = context.bell.ring([_ring(row) for row in found])
        sent += rung
        if rung < len(found):
            # The broker does not answer: the recovery sweep rings for the rest.
            break
        after = found[-1].seq
    log.info("the engine goes on", rung=sent)


def _ring(row: RunnableRow) -> Ring:
    return Ring(row.seq, row.process_id, row.workflow_name, row.step_key, row.target, row.is_task)
