"""Resume a process: answer the input step that it waits at, or let the step that failed run again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.errors import ConflictError, NotDeployedError
from orchestrator.language.actions import Form, Function
from orchestrator.language.calling import Focus, focus_on, label_of
from orchestrator.language.outcomes import Done, Skipped
from orchestrator.language.step_list import Step
from orchestrator.language.transitions import RETRYABLE, RUNNABLE, ProcessValue, after_input, after_resume
from orchestrator.language.vocabulary import Actor, ProcessStatus, State
from orchestrator.services import audit
from orchestrator.services.authorization import require_resume, require_retry
from orchestrator.services.authors_code import code_of
from orchestrator.services.context import Context
from orchestrator.services.forms import Pages, read_pages, require_no_input, require_small, storable, walk
from orchestrator.services.pinned_steps import deployed_workflow, present_step, steps_up_to_now
from orchestrator.services.process_rows import get_process, ring_for
from orchestrator.services.starting import require_running_engine
from orchestrator.storage.process_statements import ProcessRow, answer_input, retry_process
from orchestrator.storage.session import Origin
from orchestrator.storage.subscription_holding import take_again


@dataclass(frozen=True)
class _Answer:
    """What was entered at an input step."""

    step: Step
    pages: Pages
    done: Done


@dataclass(frozen=True)
class _Retry:
    """The step runs again."""


def resume_process(
    context: Context,
    actor: Actor,
    process_id: UUID,
    pages: Any = None,
    *,
    reporter: str | None = None,
    request_id: str | None = None,
) -> None:
    """Go on with a process that waits for input, with the pages of its form, or that failed or waits, without any.

    Of two resumes at the same moment one succeeds.

    Raises:
        ProcessNotFoundError: there is no such process.
        EnginePausedError: nothing is resumed now.
        ConflictError: it is in another status, it is paused, somebody else was faster, or its code is not here.
        ForbiddenError: the actor may not resume or retry it.
        FormIncompleteError: there is another page to fill in.
        FormInvalidError, FormOverflowError, MalformedPagesError, UnstorableInputError: the pages do not fit.
        CodeFailedError: a condition, a lens, the form or an authorizer raised; nothing was changed.
    """
    row, way = _look(context, actor, process_id, read_pages(pages))
    with context.database.transaction(actor.name) as session:
        take_again(session, row.seq, Origin(actor.name, process_id, row.seq, row.step_key))
        match way:
            case _Answer():
                value = _write_answer(session, row, way, reporter or actor.name)
                after = {"status": value.status, "input": way.done.delta}
            case _Retry():
                value = _write_retry(session, row)
                after = {"status": value.status}
            case _:
                assert_never(way)
        audit.record(
            session,
            actor,
            "resume",
            "process",
            process_id,
            process_id=process_id,
            before={"status": row.status, "step": row.step_key},
            after=after,
            request_id=request_id,
        )
    if value.status in RUNNABLE:
        context.bell.ring([ring_for(row, row.steps[value.position]["key"])])


def check_answer(context: Context, actor: Actor, process_id: UUID, pages: Any = None) -> State:
    """Fill in the form that a process waits at as `resume_process` does, and resume nothing.

    Returns:
        What the answer would change in the state; nothing where a step would only run again.

    Raises:
        As `resume_process`.
    """
    _, way = _look(context, actor, process_id, read_pages(pages))
    return way.done.delta if isinstance(way, _Answer) else {}


def input_form(step: Step, state: State) -> tuple[Function, Focus, str]:
    """The form of an input step, the part of the state that it is filled in on, and what messages call it.

    Raises:
        NotDeployedError: the deployed step has no form any more.
        ConflictError: the step's condition does not hold any more.
        CodeFailedError: a condition or a lens of it raised.
    """
    if not isinstance(step.action, Form):
        raise NotDeployedError(f"the step {step.name!r} that is deployed here asks for no input any more")
    with code_of(label_of(step, state)):
        focus = focus_on(step, state)
    if isinstance(focus, Skipped):
        raise ConflictError(f"the condition of the step {step.name!r} does not hold any more")
    return step.action.function, focus, f"the form of {step.name!r}"


def _look(context: Context, actor: Actor, process_id: UUID, pages: Pages) -> tuple[ProcessRow, _Answer | _Retry]:
    with context.database.reading(with_authors=True) as session:
        row = get_process(session, process_id)
        require_running_engine(row.engine_paused, row.engine_reason)
        if row.paused:
            raise ConflictError(f"process {process_id} is paused: unpause it first")
        return row, _decide(context, actor, row, pages)


def _decide(context: Context, actor: Actor, row: ProcessRow, pages: Pages) -> _Answer | _Retry:
    status = ProcessStatus(row.status)
    if status is ProcessStatus.SUSPENDED:
        workflow = deployed_workflow(context.catalog, row)
        step = present_step(workflow, row)
        require_resume(actor, workflow, steps_up_to_now(workflow, row))
        done = _fill_in(step, row, pages)
        require_small(done.delta, context.settings.max_delta_bytes)
        return _Answer(step, pages, done)
    if status not in RETRYABLE:
        raise ConflictError(f"process {row.process_id} is {row.status}: there is nothing to resume")
    workflow = deployed_workflow(context.catalog, row)
    require_retry(actor, workflow, steps_up_to_now(workflow, row))
    require_no_input(pages, f"process {row.process_id} is {row.status}")
    return _Retry()


def _fill_in(step: Step, row: ProcessRow, pages: Pages) -> Done:
    form, focus, label = input_form(step, row.state)
    done = walk(form, focus.inner, pages, label)
    with code_of(focus.label):
        widened = focus.widen(done)
    return Done({key: storable(value, key) for key, value in widened.delta.items()}, widened.removed)


def _write_answer(session: Session, row: ProcessRow, answer: _Answer, created_by: str) -> ProcessValue:
    transition = after_input(_value(row))
    value = transition.process
    written = answer_input(
        session,
        {
            "seq": row.seq,
            "position": row.position,
            "generation": row.generation,
            "change_seq": row.change_seq,
            "key": answer.step.key,
            "name": answer.step.name,
            "status": value.status,
            "step_status": transition.step_status,
            "next_position": value.position,
            "next_key": row.steps[value.position]["key"] if value.position < len(row.steps) else None,
            "delta": answer.done.delta,
            "removed": list(answer.done.removed),
            "pages": answer.pages,
            "created_by": created_by,
        },
    )
    _require_written(row, written)
    return value


def _write_retry(session: Session, row: ProcessRow) -> ProcessValue:
    value = after_resume(_value(row))
    values = {"seq": row.seq, "change_seq": row.change_seq, "seen": row.status, "status": value.status}
    _require_written(row, retry_process(session, values))
    return value


def _value(row: ProcessRow) -> ProcessValue:
    return ProcessValue(ProcessStatus(row.status), row.position, len(row.steps))


def _require_written(row: ProcessRow, written: bool) -> None:
    if not written:
        raise ConflictError(f"process {row.process_id} was changed by somebody else at this moment; look at it again")
