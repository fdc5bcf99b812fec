"""Pause one process, and let it go on."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from orchestrator.errors import ConflictError
from orchestrator.language.transitions import ENDED, RUNNABLE
from orchestrator.language.vocabulary import Actor
from orchestrator.services import audit
from orchestrator.services.authorization import require_abort
from orchestrator.services.context import Context
from orchestrator.services.pinned_steps import steps_up_to_now
from orchestrator.services.process_rows import get_process, ring_for
from orchestrator.services.texts import check_reason
from orchestrator.storage.process_pausing import set_paused
from orchestrator.storage.process_statements import ProcessRow


def pause_process(
    context: Context, actor: Actor, process_id: UUID, reason: str | None = None, *, request_id: str | None = None
) -> None:
    """Let no further step of a process begin: one that runs ends and is recorded, a timer that comes due waits.

    Raises:
        ProcessNotFoundError: there is no such process.
        ConflictError: it has ended, or is paused already.
        ForbiddenError: the actor may not stop it.
        InvalidInputError: the reason is too long or cannot be stored.
    """
    _set(context, actor, process_id, True, reason, request_id)


def unpause_process(
    context: Context, actor: Actor, process_id: UUID, reason: str | None = None, *, request_id: str | None = None
) -> None:
    """Let a process that was paused go on. A step that still runs is not begun again.

    Raises:
        ProcessNotFoundError: there is no such process.
        ConflictError: it has ended, or is not paused.
        ForbiddenError: the actor may not stop it, and so not let it go on.
        InvalidInputError: the reason is too long or cannot be stored.
    """
    row = _set(context, actor, process_id, False, reason, request_id)
    if row.status in RUNNABLE:
        context.bell.ring([ring_for(row, row.step_key)])


def _set(
    context: Context, actor: Actor, process_id: UUID, paused: bool, reason: str | None, request_id: str | None
) -> ProcessRow:
    check_reason(reason)
    # The workflow is asked outside of the transaction that holds the row; it never changes for a process.
    with context.database.reading(with_authors=True) as session:
        seen = get_process(session, process_id)
        workflow = context.catalog.workflows.get(seen.workflow_name)
        if workflow is not None:
            require_abort(actor, workflow, steps_up_to_now(workflow, seen))
    with context.database.transaction(actor.name) as session:
        row = get_process(session, process_id, lock=True)
        if row.status in ENDED:
            raise ConflictError(f"process {process_id} is {row.status}: it does not go on")
        if row.paused == paused:
            raise ConflictError(f"process {process_id} is {'paused already' if paused else 'not paused'}")
        status = set_paused(session, row.seq, paused) or row.status
        audit.record(
            session,
            actor,
            "pause" if paused else "unpause",
            "process",
            process_id,
            process_id=process_id,
            reason=reason,
            before={"paused": row.paused, "status": row.status},
            after={"paused": paused},
            request_id=request_id,
        )
    return replace(row, status=status)
