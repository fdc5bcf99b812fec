"""What is done with a process: start, resume, abort, note, delete, count. All of it in one transaction each."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from orchestrator.errors import ConflictError, NotATaskError
from orchestrator.language.transitions import ENDED, ProcessValue, after_abort
from orchestrator.language.vocabulary import Actor, ProcessStatus
from orchestrator.services import audit
from orchestrator.services.authorization import require_abort
from orchestrator.services.context import Context
from orchestrator.services.pinned_steps import steps_up_to_now
from orchestrator.services.process_rows import get_process
from orchestrator.services.resuming import resume_process
from orchestrator.services.starting import Started, start_process
from orchestrator.services.texts import check_note, check_reason
from orchestrator.storage import process_statements
from orchestrator.storage.session import Origin
from orchestrator.storage.subscription_holding import give_back_held, lock_held

__all__ = [
    "Started",
    "StatusCounts",
    "abort_process",
    "delete_task",
    "resume_process",
    "set_note",
    "start_process",
    "status_counts",
]

ABORT_KEY = "abort"
ABORT_NAME = "User Aborted"
# How long an abort waits for a step that writes to the subscription that is to be released.
_RELEASE_SECONDS = 3.0


@dataclass(frozen=True)
class StatusCounts:
    """How many processes there are by status; those of tasks are apart."""

    process_counts: dict[str, int] = field(default_factory=dict)
    task_counts: dict[str, int] = field(default_factory=dict)


def abort_process(
    context: Context,
    actor: Actor,
    process_id: UUID,
    reason: str | None = None,
    *,
    release_subscription: bool = False,
    reporter: str | None = None,
    request_id: str | None = None,
) -> None:
    """End a process unfinished, at once: a step that runs at this moment is recorded no more.

    Its subscription stays out of sync, unless `release_subscription` puts it in sync in the same transaction.

    Raises:
        ProcessNotFoundError: there is no such process.
        ConflictError: it has ended already; or its subscription is to be released while a step is writing to it.
        ForbiddenError: the actor may not abort it.
        InvalidInputError: the reason is too long or cannot be stored.
    """
    check_reason(reason)
    # The workflow is asked outside of the transaction that holds the row; it never changes for a process.
    with context.database.reading(with_authors=True) as session:
        seen = get_process(session, process_id)
        workflow = context.catalog.workflows.get(seen.workflow_name)
        if workflow is not None:
            require_abort(actor, workflow, steps_up_to_now(workflow, seen))
    with context.database.transaction(actor.name) as session:
        if release_subscription and not lock_held(session, seen.seq, _RELEASE_SECONDS):
            raise ConflictError(
                f"a step of process {process_id} is writing to its subscription at this moment, so that this cannot be "
                "released with it; abort the process, and set the subscription in sync afterwards"
            )
        row = get_process(session, process_id, lock=True)
        transition = after_abort(ProcessValue(ProcessStatus(row.status), row.position, len(row.steps)))
        process_statements.abort_process(
            session,
            {
                "seq": row.seq,
                "status": transition.process.status,
                "step_status": transition.step_status,
                "key": ABORT_KEY,
                "name": ABORT_NAME,
                "reason": reason,
                "error": {"class": "Aborted", "error": reason} if reason else None,
                "created_by": reporter or actor.name,
            },
        )
        origin = Origin(actor.name, process_id, row.seq, ABORT_KEY)
        released = give_back_held(session, row.seq, origin) if release_subscription else []
        audit.record(
            session,
            actor,
            "abort",
            "process",
            process_id,
            process_id=process_id,
            reason=reason,
            before={"status": row.status, "step": row.step_key},
            after={"status": transition.process.status},
            request_id=request_id,
        )
        for subscription_id in released:
            audit.record(
                session,
                actor,
                "set in sync",
                "subscription",
                subscription_id,
                process_id=process_id,
                subscription_id=subscription_id,
                reason=reason,
                before={"insync": False},
                after={"insync": True},
                request_id=request_id,
            )


def set_note(
    context: Context, actor: Actor, process_id: UUID, note: str | None, *, request_id: str | None = None
) -> None:
    """Set or remove the note of a process.

    Raises:
        ProcessNotFoundError: there is no such process.
        InvalidInputError: the note is too long or cannot be stored.
    """
    check_note(note)
    with context.database.transaction(actor.name) as session:
        row = get_process(session, process_id, lock=True)
        if row.note == note:
            return
        process_statements.set_note(session, row.seq, note)
        audit.record(
            session,
            actor,
            "set note",
            "process",
            process_id,
            process_id=process_id,
            before={"note": row.note},
            after={"note": note},
            request_id=request_id,
        )


def delete_task(context: Context, actor: Actor, process_id: UUID, *, request_id: str | None = None) -> None:
    """Delete a task that has ended, with its steps. What it did stays, and so does the audit.

    Raises:
        ProcessNotFoundError: there is no such process.
        NotATaskError: it is no task.
        ConflictError: it has not ended.
    """
    with context.database.transaction(actor.name) as session:
        row = get_process(session, process_id, lock=True)
        if not row.is_task:
            raise NotATaskError(
                f"process {process_id} runs {row.workflow_name}, which is no task; only tasks are deleted"
            )
        if row.status not in ENDED:
            raise ConflictError(f"task {process_id} is {row.status}; abort it before you delete it")
        process_statements.delete_process(session, row.seq)
        audit.record(
            session,
            actor,
            "delete",
            "process",
            process_id,
            process_id=process_id,
            before={"workflow_name": row.workflow_name, "status": row.status},
            request_id=request_id,
        )


def status_counts(context: Context, *, ended: bool = True) -> StatusCounts:
    """How many processes are in each status that any is in. `ended`: completed and aborted ones are counted, too, which
    takes the longer the more there are."""
    counts = StatusCounts()
    with context.database.reading() as session:
        for is_task, status, number in process_statements.count_statuses(session, ended=ended):
            (counts.task_counts if is_task else counts.process_counts)[status] = number
    return counts
