"""Start a process: check that it may, walk the workflow's form, write everything in one transaction, ring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy.orm import Session
from uuid_utils.compat import uuid7

from orchestrator.engine.bell import Ring
from orchestrator.errors import (
    CodeFailedError,
    EnginePausedError,
    InvalidInputError,
    OrchestratorError,
    PredicateFailedError,
    UnknownWorkflowError,
)
from orchestrator.language.admission import PredicateContext, RunPredicateFail
from orchestrator.language.parameters import name_of_function
from orchestrator.language.vocabulary import Actor, State, Target
from orchestrator.language.workflow_definition import Workflow
from orchestrator.services.authorization import require_start
from orchestrator.services.authors_code import code_of
from orchestrator.services.context import Context
from orchestrator.services.forms import Form, Pages, read_pages, require_small, storable, walk
from orchestrator.services.idempotency import KeyedRequest, KeyTakenError
from orchestrator.services.start_forms import start_form, works_on_subscription
from orchestrator.storage.database import Database
from orchestrator.storage.start_statements import WorkflowRow, find_workflow, insert_process, insert_task_again

# What every process knows of itself, whatever its form returned.
_OWN_KEYS: Final = ("process_id", "reporter", "workflow_name", "workflow_target")


@dataclass(frozen=True)
class Started:
    """The process that was started, or that had been started by the same request before."""

    process_id: UUID


@dataclass(frozen=True)
class Prepared:
    """Everything that is written when a process starts."""

    process_id: UUID
    workflow: Workflow
    row: WorkflowRow
    pages: Pages
    state: State
    subscription_id: UUID | None

    @property
    def is_task(self) -> bool:
        return self.row.is_task or self.row.target == Target.SYSTEM


def start_process(
    context: Context,
    actor: Actor,
    workflow_name: str,
    pages: Any = None,
    *,
    idempotency_key: str | None = None,
    request_id: str | None = None,
    reporter: str | None = None,
) -> Started:
    """Start a workflow with what was entered on the pages of its form.

    Args:
        context: of this process of the operating system.
        actor: who starts it.
        workflow_name: its name.
        pages: a list with an object for each page; None, `[]` and `[{}]` for a workflow without a form.
        idempotency_key: the same request with the same key starts one process.
        request_id: finds the request in the log.
        reporter: in whose name; the actor's own when not given.

    Raises:
        UnknownWorkflowError: there is no such workflow, here or in the database.
        EnginePausedError: nothing is started now.
        ForbiddenError: the actor may not start it.
        PredicateFailedError: the workflow's predicate says no.
        FormIncompleteError: there is another page to fill in.
        FormInvalidError, FormOverflowError, MalformedPagesError, UnstorableInputError: the pages do not fit.
        IdempotencyKeyError: the key was used for another request.
        CodeFailedError: the predicate, the authorizer or the form raised; nothing was started.
    """
    entered = read_pages(pages)
    request = None
    if idempotency_key is not None:
        request = KeyedRequest.of(actor.name, idempotency_key, workflow_name, entered, reporter)
        answered = _answered(context, request)
        if answered is not None:
            return answered
    else:
        again = _start_again(context, actor, workflow_name, entered, reporter or actor.name, request_id)
        if again is not None:
            context.bell.ring([again])
            return Started(again.process_id)
    try:
        with context.database.reading(with_authors=True) as session:
            prepared = prepare_start(context, session, actor, workflow_name, entered, reporter or actor.name)
        if request is None:
            ring = write_start(context.database, actor, prepared, reporter or actor.name, request_id=request_id)
        else:
            with context.database.transaction(actor.name) as session:
                request.take(session, {"id": str(prepared.process_id)}, context.settings.idempotency_hours)
                ring = write_start(session, actor, prepared, reporter or actor.name, request_id=request_id)
    except (KeyTakenError, InvalidInputError):
        # The same request may have won a race with this one, and made this one's input invalid by what it did.
        answered = None if request is None else _answered(context, request)
        if answered is None:
            raise
        return answered
    context.workflows_seen[workflow_name] = prepared.row
    context.bell.ring([ring])
    return Started(prepared.process_id)


def check_start(context: Context, actor: Actor, workflow_name: str, pages: Any = None) -> State:
    """Fill in the form of a workflow as `start_process` does, and start nothing.

    Returns:
        The state that the process would begin with, but for what every process knows of itself.

    Raises:
        As `start_process`.
    """
    with context.database.reading(with_authors=True) as session:
        prepared = prepare_start(context, session, actor, workflow_name, read_pages(pages), actor.name)
    state = prepared.state
    return {key: value for key, value in state.items() if key not in _OWN_KEYS}


def require_running_engine(paused: bool, reason: str | None) -> None:
    """Go on only when the engine takes new work.

    Raises:
        EnginePausedError: it does not; the message has the reason that was given.
    """
    if paused:
        raise EnginePausedError(f"the engine is paused{f': {reason}' if reason else ''}; try again when it runs")


def _answered(context: Context, request: KeyedRequest) -> Started | None:
    with context.database.reading() as session:
        answer = request.known_answer(session)
    return None if answer is None else Started(UUID(answer["id"]))


def _start_again(
    context: Context, actor: Actor, workflow_name: str, pages: Pages, reporter: str, request_id: str | None
) -> Ring | None:
    """Start a task by the row that an earlier start read: one statement, which looks whether the row still holds.

    None when nothing was written: the task was not seen before, it cannot be started so, or not at all. Then everything
    is read, and what is wrong is said.
    """
    workflow, row = context.catalog.workflows.get(workflow_name), context.workflows_seen.get(workflow_name)
    if workflow is None or row is None or not _asks_nobody(workflow, row):
        return None
    try:
        prepared = _fill_in(context, None, workflow, row, pages, reporter)
    except OrchestratorError:
        return None
    seq = insert_task_again(context.database, _values(actor, prepared, reporter, request_id))
    return None if seq is None else _ring(seq, prepared)


def _asks_nobody(workflow: Workflow, row: WorkflowRow) -> bool:
    """Whether a start depends on nothing but this row and the engine: a task without a form, on no product."""
    return (
        row.target == Target.SYSTEM
        and not row.has_products
        and workflow.initial_input_form is None
        and workflow.authorize_callback is None
        and workflow.run_predicate is None
    )


def prepare_start(
    context: Context,
    session: Session,
    actor: Actor,
    workflow_name: str,
    pages: Pages,
    reporter: str,
    *,
    now: bool = True,
) -> Prepared:
    """Everything that is to be written to start a workflow with these pages, in a session that reads.

    `now` is false where only a later start is prepared for: then it does not matter whether the engine is paused and
    what the workflow's predicate says.

    Raises:
        UnknownWorkflowError, EnginePausedError, ForbiddenError, PredicateFailedError, OrchestratorError: it may not or
            cannot be started, as for `start_process`.
        CodeFailedError: it has no steps, or its predicate, authorizer or form raised.
    """
    workflow = context.catalog.workflows.get(workflow_name)
    if workflow is None:
        raise UnknownWorkflowError(
            f"there is no workflow {workflow_name!r}: the name is wrong, or its code is not in ORCHESTRATOR_CATALOG"
        )
    # Most workflows have no form that reads, and most reading sessions no connection: one is taken when it is needed.
    row = find_workflow(session if session.in_transaction() else context.database, workflow.name)
    if row is None:
        raise UnknownWorkflowError(
            f"there is no workflow {workflow_name!r} in the database: a revision makes it known; write it with "
            "`orchestrator db revision --autogenerate`, apply it with `orchestrator db upgrade`"
        )
    if not workflow.steps:
        raise CodeFailedError(f"the workflow {workflow_name!r} has no steps")
    if now:
        require_running_engine(row.engine_paused, row.engine_reason)
    require_start(actor, workflow)
    if now:
        _require_predicate(workflow)
    return _fill_in(context, start_form(session, workflow, row), workflow, row, pages, reporter)


def _fill_in(
    context: Context, form: Form | None, workflow: Workflow, row: WorkflowRow, pages: Pages, reporter: str
) -> Prepared:
    process_id = uuid7()
    known = {
        "process_id": str(process_id),
        "reporter": storable(reporter, "reporter"),
        "workflow_name": row.name,
        "workflow_target": row.target,
    }
    entered = walk(form, known, pages, f"the form of {row.name}").delta
    state = {**entered, **known}
    require_small(state, context.settings.max_delta_bytes)
    subscription_id = UUID(entered["subscription_id"]) if works_on_subscription(row) else None
    return Prepared(process_id, workflow, row, pages, state, subscription_id)


def _require_predicate(workflow: Workflow) -> None:
    if workflow.run_predicate is not None:
        with code_of(f"the run predicate {name_of_function(workflow.run_predicate)} of {workflow.name}"):
            verdict = workflow.run_predicate(PredicateContext(workflow, workflow.name))
        if isinstance(verdict, RunPredicateFail):
            raise PredicateFailedError(verdict.message)


def write_start(
    target: Session | Database, actor: Actor, prepared: Prepared, reporter: str, *, request_id: str | None = None
) -> Ring:
    """Write a process that was prepared, and the audit of it; the ring to send after the commit.

    `target` is a session, whose transaction this becomes a part of, or the database: then it is one of its own.
    """
    workflow, row = prepared.workflow, prepared.row
    written = {"steps": workflow.pinned, "target": row.target, "is_task": prepared.is_task}
    return _ring(insert_process(target, {**_values(actor, prepared, reporter, request_id), **written}), prepared)


def _values(actor: Actor, prepared: Prepared, reporter: str, request_id: str | None) -> dict[str, Any]:
    workflow = prepared.workflow
    return {
        "process_id": prepared.process_id,
        "workflow_id": prepared.row.workflow_id,
        "workflow_name": workflow.name,
        "hash": workflow.version,
        "step_key": workflow.keys[0],
        "state": prepared.state,
        "created_by": reporter,
        "pages": prepared.pages,
        "subscription_id": prepared.subscription_id,
        "actor": actor.name,
        "request_id": request_id,
    }


def _ring(seq: int, prepared: Prepared) -> Ring:
    workflow = prepared.workflow
    return Ring(seq, prepared.process_id, workflow.name, workflow.keys[0], prepared.row.target, prepared.is_task)
