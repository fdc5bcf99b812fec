"""Set a process to another place: skip the step that failed, run again from an earlier one, take other code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.errors import ConflictError, InvalidInputError
from orchestrator.language.history import Beginning, Recorded, state_before
from orchestrator.language.transitions import RUNNABLE, ProcessValue, after_migrate, after_rerun, after_skip
from orchestrator.language.vocabulary import Actor, ProcessStatus, State
from orchestrator.services import audit
from orchestrator.services.authorization import require_retry
from orchestrator.services.context import Context
from orchestrator.services.pinned_steps import deployed_workflow, steps_up_to_now
from orchestrator.services.process_rows import get_process, ring_for
from orchestrator.services.starting import require_running_engine
from orchestrator.services.texts import check_reason, require_reason
from orchestrator.storage import process_moves
from orchestrator.storage.process_statements import ProcessRow
from orchestrator.storage.session import Origin
from orchestrator.storage.subscription_holding import take_again


def skip_step(
    context: Context,
    actor: Actor,
    process_id: UUID,
    reason: str,
    *,
    reporter: str | None = None,
    request_id: str | None = None,
) -> None:
    """Go past the step that failed, or that waits to be tried again, as if it had changed nothing.

    Raises:
        ProcessNotFoundError: there is no such process.
        EnginePausedError: nothing goes on now.
        ConflictError: no step of it failed or waits to be tried again, or its code is not here.
        ForbiddenError: the actor may not retry it.
        InvalidInputError: the reason is empty, too long or cannot be stored.
    """
    require_reason(reason)
    with _locked(context, actor, process_id) as (session, row):
        transition = after_skip(_value(row))
        value, step = transition.process, row.steps[row.position]
        deployed = deployed_workflow(context.catalog, row).step(step["key"])
        next_key = row.steps[value.position]["key"] if value.position < len(row.steps) else None
        process_moves.skip_step(
            session,
            {
                "seq": row.seq,
                "position": row.position,
                "key": step["key"],
                "name": step["name"] if deployed is None else deployed.name,
                "status": value.status,
                "step_status": transition.step_status,
                "next_position": value.position,
                "next_key": next_key,
                "error": {"class": "Skipped", "error": reason},
                "created_by": reporter or actor.name,
            },
        )
        after = {"status": value.status, "step": next_key, "generation": row.generation}
        _note(session, actor, "skip", row, after, reason, request_id)
    _ring(context, replace(row, step_key=next_key), value)


def rerun_process(
    context: Context,
    actor: Actor,
    process_id: UUID,
    step_key: str,
    reason: str | None = None,
    *,
    reporter: str | None = None,
    request_id: str | None = None,
) -> None:
    """Go back to a step that the process has come to before: the state is as it was before that step.

    A new generation begins, and with it new idempotency keys. What steps did outside, or to subscriptions, stays done.

    Raises:
        ProcessNotFoundError: there is no such process.
        EnginePausedError: nothing goes on now.
        ConflictError: it runs or has ended, or has not come to that step; or its code is not here.
        ForbiddenError: the actor may not retry it.
        InvalidInputError: it has no such step; the reason is too long or cannot be stored.
    """
    check_reason(reason)
    with _locked(context, actor, process_id) as (session, row):
        position = _position(step_key, [step["key"] for step in row.steps], "the steps of this process are")
        value = after_rerun(_value(row), position)
        values = {
            "version_id": row.version_id,
            "generation": row.generation + 1,
            "state": _state_before(session, row, position),
            "cause": "rerun",
            "created_by": reporter or actor.name,
        }
        _move(session, actor, row, value, {**values, "key": step_key}, reason, request_id)
    _ring(context, replace(row, step_key=step_key), value)


def migrate_process(
    context: Context,
    actor: Actor,
    process_id: UUID,
    step_key: str,
    reason: str | None = None,
    *,
    reporter: str | None = None,
    request_id: str | None = None,
) -> None:
    """Move a process to the step list that is deployed, at the step that is named; its state stays as it is.

    Idempotency keys stay the same, unless the process has done a step already that it will do again. Children that the
    step has started are waited for at its new place, too.

    Raises:
        ProcessNotFoundError: there is no such process.
        EnginePausedError: nothing goes on now.
        ConflictError: it runs, waits for an answer or has ended; it has that step list already; its code is not here.
        ForbiddenError: the actor may not retry it.
        InvalidInputError: the deployed workflow has no such step; the reason is too long or cannot be stored.
    """
    check_reason(reason)
    with _locked(context, actor, process_id, and_children=True) as (session, row):
        workflow = deployed_workflow(context.catalog, row)
        keys = list(workflow.keys)
        position = _position(step_key, keys, f"the steps of {workflow.name!r} are")
        value = after_migrate(_value(row), position, len(keys))
        if workflow.version == row.hash:
            raise ConflictError(f"process {process_id} has the steps that are deployed here already")
        past = process_moves.rows_from(session, row.seq, row.generation, position)
        again = any(one.is_recorded or keys[one.position : one.position + 1] != [one.key] for one in past)
        if step_key == row.step_key:
            here = (row.position, row.generation)
            process_moves.move_children(session, row.seq, here, (position, row.generation + again))
        values = {
            "version_id": process_moves.pin_version(session, workflow.name, workflow.version, workflow.pinned),
            "generation": row.generation + again,
            "state": row.state,
            "cause": "migrate",
            "created_by": reporter or actor.name,
        }
        _move(session, actor, row, value, {**values, "key": step_key}, reason, request_id, workflow.version)
    _ring(context, replace(row, step_key=step_key), value)


@contextmanager
def _locked(
    context: Context, actor: Actor, process_id: UUID, *, and_children: bool = False
) -> Iterator[tuple[Session, ProcessRow]]:
    """The process, locked, after its authorizers were asked; with the subscriptions that it gave back."""
    with context.database.reading(with_authors=True) as session:
        seen = get_process(session, process_id)
        require_running_engine(seen.engine_paused, seen.engine_reason)
        workflow = deployed_workflow(context.catalog, seen)
        require_retry(actor, workflow, steps_up_to_now(workflow, seen))
    with context.database.transaction(actor.name) as session:
        # Before the process, as steps do it.
        take_again(session, seen.seq, Origin(actor.name, process_id, seen.seq, seen.step_key))
        if and_children:
            process_moves.lock_children(session, seen.seq)
        row = get_process(session, process_id, lock=True)
        yield session, row


def _state_before(session: Session, row: ProcessRow, position: int) -> State:
    found = state_before(
        [step["key"] for step in row.steps[position : row.position]],
        [Beginning(*one) for one in process_moves.beginnings_of(session, row.seq)],
        [
            Recorded(generation, key, delta, tuple(removed))
            for generation, key, delta, removed in process_moves.recorded_of(session, row.seq)
        ],
        row.state,
    )
    if found is None:
        raise ConflictError(
            f"process {row.process_id} was started by an older release, which did not keep the state that it began with"
        )
    return found


def _move(
    session: Session,
    actor: Actor,
    row: ProcessRow,
    value: ProcessValue,
    values: dict[str, Any],
    reason: str | None,
    request_id: str | None,
    version: str | None = None,
) -> None:
    place = {"seq": row.seq, "status": value.status, "position": value.position, "reason": reason}
    process_moves.move_process(session, {**values, **place})
    after = {
        "status": value.status,
        "step": values["key"],
        "generation": values["generation"],
        "version": version or row.hash,
    }
    _note(session, actor, values["cause"], row, after, reason, request_id)


def _note(
    session: Session,
    actor: Actor,
    action: str,
    row: ProcessRow,
    after: dict[str, Any],
    reason: str | None,
    request_id: str | None,
) -> None:
    before = {"status": row.status, "step": row.step_key, "generation": row.generation, "version": row.hash}
    audit.record(
        session,
        actor,
        action,
        "process",
        row.process_id,
        process_id=row.process_id,
        reason=reason,
        before={name: before[name] for name in after},
        after=after,
        request_id=request_id,
    )


def _position(key: str, keys: list[str], told: str) -> int:
    if key not in keys:
        raise InvalidInputError(f"there is no step {key[:100]!r}; {told} {', '.join(keys)}")
    return keys.index(key)


def _value(row: ProcessRow) -> ProcessValue:
    return ProcessValue(ProcessStatus(row.status), row.position, len(row.steps), row.waiting_for)


def _ring(context: Context, row: ProcessRow, value: ProcessValue) -> None:
    if value.status in RUNNABLE and not row.paused:
        context.bell.ring([ring_for(row, row.step_key)])
