"""Callbacks: an outside system tells how far it is, and at the end what came out."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.engine.callbacks import CallbackSigner
from orchestrator.errors import CallbackNotFoundError, ConflictError
from orchestrator.language.transitions import ENDED, FAILED, ProcessValue, after_callback
from orchestrator.language.vocabulary import Actor, ProcessStatus, State
from orchestrator.services import audit
from orchestrator.services.context import Context
from orchestrator.services.forms import require_small, storable
from orchestrator.services.process_rows import get_process, ring_for
from orchestrator.services.starting import require_running_engine
from orchestrator.storage.callback_delivery import (
    CallbackRow,
    callbacks_of,
    get_callback,
    go_on,
    keep_arrived,
    keep_progress,
)
from orchestrator.storage.process_statements import ProcessRow


def deliver_callback(
    context: Context, actor: Actor, process_id: UUID, token: str, body: State, *, request_id: str | None = None
) -> None:
    """Take what an outside system sends at the end, and let the process go on.

    It may come before the step that waits for it was recorded: then that step finds it. A process that is paused takes
    it too, and goes on when it is unpaused. Of two at the same moment one succeeds.

    Raises:
        CallbackNotFoundError, ProcessNotFoundError: there is no such process, or the token is none of its.
        EnginePausedError: nothing goes on now; send it again.
        ConflictError: it has arrived already, or the process does not wait for it any more.
        UnstorableInputError: the body cannot be stored.
    """
    arrived = storable(body, "the body")
    require_small(arrived, context.settings.max_delta_bytes)
    callback_id = _identify(context, process_id, token)
    with context.database.transaction(actor.name) as session:
        row, callback = _lock(session, process_id, callback_id)
        is_awaited = row.status == ProcessStatus.AWAITING_CALLBACK and row.step_key == callback.step_key
        keep_arrived(session, callback_id, arrived, actor.name)
        status = ProcessStatus(row.status)
        if is_awaited:
            status = after_callback(ProcessValue(status, row.position, len(row.steps))).status
            go_on(session, row.seq, status)
        audit.record(
            session,
            actor,
            "callback",
            "process",
            process_id,
            process_id=process_id,
            before={"status": row.status, "step": row.step_key},
            after={"status": status, "callback_of": callback.step_key},
            request_id=request_id,
        )
    if is_awaited and not row.paused:
        context.bell.ring([ring_for(row, callback.step_key)])


def report_progress(context: Context, actor: Actor, process_id: UUID, token: str, progress: State | str) -> None:
    """Replace what is shown of how far the outside system is. There may be many of them, so the audit has none.

    Raises:
        As `deliver_callback`.
    """
    kept = storable(progress, "the body")
    require_small({"progress": kept}, context.settings.max_delta_bytes)
    callback_id = _identify(context, process_id, token)
    with context.database.transaction(actor.name) as session:
        row, _ = _lock(session, process_id, callback_id)
        keep_progress(session, row.seq, callback_id, kept)


def _identify(context: Context, process_id: UUID, token: str) -> int:
    """Which callback of a process a token is for. Nobody without one gets as far as a lock."""
    signer = CallbackSigner(context.settings.secret_key)
    with context.database.reading() as session:
        row = get_process(session, process_id)
        found = [
            one.callback_id
            for one in callbacks_of(session, row.seq)
            if signer.accepts(token, process_id, one.step_key, one.generation, one.nonce)
        ]
    if not found:
        raise CallbackNotFoundError(f"process {process_id} has no callback with this token")
    return found[0]


def _lock(session: Session, process_id: UUID, callback_id: int) -> tuple[ProcessRow, CallbackRow]:
    # In this order, in two statements: whoever records the step that waits locks the process, too, and looks then.
    row = get_process(session, process_id, lock=True)
    callback = get_callback(session, callback_id)
    if callback is None:
        raise CallbackNotFoundError(f"process {process_id} has this callback no more")
    require_running_engine(row.engine_paused, row.engine_reason)
    if callback.arrived_at is not None:
        raise ConflictError(f"process {process_id} has got this callback already")
    if reason := _not_awaited(row, callback):
        raise ConflictError(f"process {process_id} {reason}: it does not wait for this callback")
    return row, callback


def _not_awaited(row: ProcessRow, callback: CallbackRow) -> str | None:
    """Why nothing is taken for a callback that has not arrived; None while the process stands before or at it."""
    if row.status in ENDED:
        return f"is {row.status}"
    if callback.generation != row.generation:
        return "was begun again from an earlier step"
    if callback.step_key not in (step["key"] for step in row.steps[row.position :]):
        return "has gone on"
    if row.status in FAILED and row.step_key == callback.step_key:
        return f"is {row.status}"
    return None
