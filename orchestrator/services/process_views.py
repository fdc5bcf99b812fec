"""Processes as the API and the command line show them: a list of them, and one with all its steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from orchestrator.errors import CodeFailedError, OrchestratorError, ProcessNotFoundError
from orchestrator.language.calling import label_of
from orchestrator.language.catalog import Catalog
from orchestrator.language.history import present_state
from orchestrator.language.transitions import ENDED, RUNNABLE
from orchestrator.language.vocabulary import ProcessStatus, State, StepStatus, Target
from orchestrator.services.authors_code import failed
from orchestrator.services.context import Context
from orchestrator.services.forms import first_page
from orchestrator.services.list_conditions import Field, Kind
from orchestrator.services.lists import ListDefinition, ListQuery, Page, list_page
from orchestrator.services.resuming import input_form
from orchestrator.storage.callback_delivery import progress_of
from orchestrator.storage.process_moves import beginnings_of
from orchestrator.storage.process_reading import (
    IS_PAUSED,
    PROCESSES,
    DetailRow,
    StartRow,
    StepRow,
    find_detail,
    runs_workflow,
    see_one_moment,
    starts_of,
    steps_of,
    subscriptions_of,
    works_on,
    works_on_product,
)
from orchestrator.storage.subscription_relations import RelatedSubscription
from orchestrator.storage.tables import ProcessTable, ProductTable, SubscriptionTable, WorkflowTable

log = structlog.get_logger(__name__)

RUNNING: Final = "running"
PENDING: Final = "pending"

PROCESS_LIST: Final = ListDefinition(
    "processes",
    PROCESSES,
    {
        "process_id": Field(ProcessTable.process_id, Kind.UUID),
        "workflow_id": Field(ProcessTable.workflow_id, Kind.UUID),
        "workflow_name": Field(WorkflowTable.name, Kind.TEXT, through=runs_workflow),
        "workflow_target": Field(ProcessTable.target, Kind.WORD, words=tuple(Target)),
        "target": Field(ProcessTable.target, Kind.WORD, words=tuple(Target)),
        "is_task": Field(ProcessTable.is_task, Kind.BOOLEAN),
        "last_status": Field(ProcessTable.status, Kind.STATUS, words=tuple(ProcessStatus)),
        "status": Field(ProcessTable.status, Kind.STATUS, words=tuple(ProcessStatus)),
        "paused": Field(IS_PAUSED, Kind.BOOLEAN),
        "last_step": Field(ProcessTable.last_step, Kind.TEXT),
        "assignee": Field(ProcessTable.assignee, Kind.WORD),
        "created_by": Field(ProcessTable.created_by, Kind.TEXT),
        "started_at": Field(ProcessTable.started_at, Kind.TIME, follows_tie=True),
        "last_modified_at": Field(ProcessTable.last_modified_at, Kind.TIME),
        "failed_reason": Field(ProcessTable.failed_reason, Kind.TEXT),
        "note": Field(ProcessTable.note, Kind.TEXT),
        "waiting_for": Field(ProcessTable.waiting_for, Kind.WORD, words=("retry", "time", "children")),
        "due_at": Field(ProcessTable.due_at, Kind.TIME),
        "subscription_id": Field(SubscriptionTable.subscription_id, Kind.UUID, sortable=False, through=works_on),
        "subscription": Field(SubscriptionTable.description, Kind.TEXT, sortable=False, through=works_on),
        "customer": Field(SubscriptionTable.customer_id, Kind.WORD, sortable=False, through=works_on),
        "customer_id": Field(SubscriptionTable.customer_id, Kind.WORD, sortable=False, through=works_on),
        "product": Field(ProductTable.name, Kind.TEXT, sortable=False, through=works_on_product),
        "product_id": Field(ProductTable.product_id, Kind.UUID, sortable=False, through=works_on_product),
        "product_description": Field(ProductTable.description, Kind.TEXT, sortable=False, through=works_on_product),
        "tag": Field(ProductTable.tag, Kind.WORD, sortable=False, through=works_on_product),
    },
    tie=ProcessTable.seq,
    counted=select(ProcessTable.seq),
)


@dataclass(frozen=True)
class ProcessView:
    """A process. Product and customer are those of its first subscription."""

    process_id: UUID
    workflow_id: UUID
    workflow_name: str
    workflow_target: str
    is_task: bool
    last_status: str
    paused: bool
    waiting_for: str | None
    due_at: datetime | None
    last_step: str | None
    assignee: str
    created_by: str
    started_at: datetime
    last_modified_at: datetime
    failed_reason: str | None
    note: str | None
    product_id: UUID | None
    customer_id: str | None
    subscriptions: tuple[RelatedSubscription, ...]


@dataclass(frozen=True)
class StepView:
    """One attempt at a step; or one that is `running`, or `pending`, which have no id yet."""

    key: str
    name: str
    status: str
    step_id: int | None = None
    generation: int | None = None
    created_by: str | None = None
    started: datetime | None = None
    completed: datetime | None = None
    state_delta: dict[str, Any] | None = None
    removed_keys: tuple[str, ...] = ()
    attempt: int | None = None
    error: Any = None
    worker: str | None = None
    task_id: str | None = None


@dataclass(frozen=True)
class ProcessDetail:
    """A process with all that it did and has yet to do.

    `form` is the first page that it waits for, or `form_error` why that cannot be shown; `callback_progress` is what
    was last said about the callback that it waits for. Of one that waits for a retry, `tries` is how often the step has
    run, `most_tries` how often it may, None: always.
    """

    process: ProcessView
    traceback: str | None
    current_state: dict[str, Any]
    steps: tuple[StepView, ...]
    starts: tuple[StartRow, ...]
    form: dict[str, Any] | None
    form_error: str | None
    tries: int | None
    most_tries: int | None
    callback_progress: Any


def list_processes(context: Context, query: ListQuery) -> Page[ProcessView]:
    """The processes that a query asks for, newest first.

    Raises:
        InvalidListQueryError: a field of the query does not exist, or its value does not fit.
    """
    with context.database.reading() as session:
        page = list_page(session, PROCESS_LIST, query)
        related = subscriptions_of(session, [row.seq for row in page.items])
        return page.map(lambda row: _process(row, related.get(row.seq, [])))


def process_detail(context: Context, process_id: UUID) -> ProcessDetail:
    """One process with its past, running and pending steps.

    Raises:
        ProcessNotFoundError: there is no such process.
    """
    with context.database.reading() as session:
        see_one_moment(session)
        row = find_detail(session, process_id)
        if row is None:
            raise ProcessNotFoundError(f"there is no process {process_id}")
        past = steps_of(session, row.seq)
        starts = tuple(starts_of(session, row.seq))
        related = subscriptions_of(session, [row.seq]).get(row.seq, [])
        state = _state(session, row, past)
        progress = progress_of(session, row.seq)
    form, form_error = _form(context, row, state)
    steps = _steps(row, past, context.catalog)
    tries, most = _tries(context.catalog, row, past)
    return ProcessDetail(
        _process(row, related), row.traceback, state, steps, starts, form, form_error, tries, most, progress
    )


def _process(row: Any, related: list[RelatedSubscription]) -> ProcessView:
    return ProcessView(
        process_id=row.process_id,
        workflow_id=row.workflow_id,
        workflow_name=row.workflow_name,
        workflow_target=row.target,
        is_task=row.is_task,
        last_status=row.status,
        paused=row.paused,
        waiting_for=row.waiting_for,
        due_at=row.due_at,
        last_step=row.last_step,
        assignee=row.assignee,
        created_by=row.created_by,
        started_at=row.started_at,
        last_modified_at=row.last_modified_at,
        failed_reason=row.failed_reason,
        note=row.note,
        product_id=related[0].product_id if related else None,
        customer_id=related[0].customer_id if related else None,
        subscriptions=tuple(related),
    )


def _steps(row: DetailRow, past: list[StepRow], catalog: Catalog) -> tuple[StepView, ...]:
    workflow = catalog.workflows.get(row.pinned_workflow)

    def name_of(pinned: dict[str, Any]) -> str:
        # A step is called what the present code calls it, as long as the code has it.
        deployed = None if workflow is None else workflow.step(pinned["key"])
        return str(pinned["name"]) if deployed is None else deployed.name

    shown = [_past_step(step) for step in past]
    if row.status in ENDED:
        return tuple(shown)
    coming = row.position
    if row.is_claimed and coming < len(row.steps):
        step = row.steps[coming]
        shown.append(
            StepView(
                step["key"], name_of(step), RUNNING, started=row.claimed_at, attempt=row.attempt, worker=row.claimed_by
            )
        )
        coming += 1
    elif row.status not in RUNNABLE and past and past[-1].position == coming:
        # The step that failed or waits is the last of the past already.
        coming += 1
    return (*shown, *(StepView(step["key"], name_of(step), PENDING) for step in row.steps[coming:]))


def _past_step(step: StepRow) -> StepView:
    return StepView(
        key=step.key,
        name=step.name,
        status=step.status,
        step_id=step.step_id,
        generation=step.generation,
        created_by=step.created_by,
        started=step.started_at,
        completed=step.completed_at,
        state_delta=step.delta,
        removed_keys=tuple(step.removed),
        attempt=step.attempt,
        error=step.error,
        worker=step.worker,
        task_id=step.task_id,
    )


def _tries(catalog: Catalog, row: DetailRow, past: list[StepRow]) -> tuple[int | None, int | None]:
    if row.waiting_for != "retry" or row.step_key is None:
        return None, None
    tries = 0
    for one in reversed(past):
        if (one.position, one.status) != (row.position, StepStatus.WAITING) or one.generation != past[-1].generation:
            break
        tries += 1
    workflow = catalog.workflows.get(row.pinned_workflow)
    step = None if workflow is None else workflow.step(row.step_key)
    return tries, None if step is None or step.retry is None else step.retry.attempts


def _state(session: Session, row: DetailRow, past: list[StepRow]) -> State:
    if row.state is not None:
        return row.state
    *_, (generation, began) = beginnings_of(session, row.seq)
    return present_state(began, [(one.delta, one.removed) for one in past if one.generation == generation])


def _form(context: Context, row: DetailRow, state: State) -> tuple[dict[str, Any] | None, str | None]:
    """The first page that the process waits for, or why there is none to show; neither when it waits for no page."""
    if row.status != ProcessStatus.SUSPENDED or row.step_key is None:
        return None, None
    workflow = context.catalog.workflows.get(row.pinned_workflow)
    step = None if workflow is None else workflow.step(row.step_key)
    if step is None:
        return None, None
    try:
        # By itself: what the form does to its transaction must not reach what else is read.
        with context.database.reading(with_authors=True):
            form, focus, label = input_form(step, state)
            return first_page(form, focus.inner, label), None
    except Exception as error:
        failure = error if isinstance(error, OrchestratorError) else failed(label_of(step, state), error)
        reason = failure.in_full if isinstance(failure, CodeFailedError) else str(failure)
        log.warning("a form cannot be shown", process_id=str(row.process_id), step=row.step_key, reason=reason)
        log.debug("where the form failed", process_id=str(row.process_id), exc_info=error)
        return None, str(failure)
