"""Processes on the wire."""

from __future__ import annotations

from marshmallow import EXCLUDE, Schema, fields, validate

from orchestrator.api.requests import MAX_REPORTER_LENGTH
from orchestrator.api.schemas import ProblemSchema, RequestSchema, TrueOrFalse
from orchestrator.api.schemas_subscriptions import RelatedSubscriptionSchema
from orchestrator.language.vocabulary import ProcessStatus, StepStatus, Target
from orchestrator.services.idempotency import MAX_KEY_LENGTH
from orchestrator.services.process_views import PENDING, RUNNING
from orchestrator.services.texts import MAX_NOTE_LENGTH, MAX_REASON_LENGTH

_STATUSES = [status.value for status in ProcessStatus]
_STEP_STATUSES = [*(status.value for status in StepStatus), RUNNING, PENDING]


class ProcessSchema(Schema):
    """A process in a list. Product and customer are those of its first subscription."""

    process_id = fields.UUID(required=True)
    workflow_id = fields.UUID(required=True)
    workflow_name = fields.String(required=True)
    workflow_target = fields.String(required=True, validate=validate.OneOf([target.value for target in Target]))
    is_task = fields.Boolean(required=True)
    created_by = fields.String(required=True)
    started_at = fields.AwareDateTime(required=True)
    last_modified_at = fields.AwareDateTime(required=True)
    last_status = fields.String(required=True, validate=validate.OneOf(_STATUSES))
    paused = fields.Boolean(required=True, metadata={"description": "No further step begins until it is unpaused"})
    last_step = fields.String(required=True, allow_none=True)
    waiting_for = fields.String(
        required=True, allow_none=True, metadata={"description": "Of one that is waiting: retry, time or children"}
    )
    due_at = fields.AwareDateTime(
        required=True,
        allow_none=True,
        metadata={
            "description": "Of one that is waiting: when it goes on; of one that awaits a callback: when it fails"
        },
    )
    assignee = fields.String(required=True, metadata={"description": "Who has to look at it next"})
    failed_reason = fields.String(required=True, allow_none=True)
    note = fields.String(required=True, allow_none=True)
    product_id = fields.UUID(required=True, allow_none=True)
    customer_id = fields.String(required=True, allow_none=True)
    subscriptions = fields.List(fields.Nested(RelatedSubscriptionSchema), required=True)


class StepErrorSchema(Schema):
    """What made a step fail."""

    class_name = fields.String(required=True, attribute="class", data_key="class")
    error = fields.String(required=True, allow_none=True)
    traceback = fields.String()
    details = fields.Raw(allow_none=True)


class ProcessStepSchema(Schema):
    """One attempt at a step, or one that is `running` or `pending` and has no id yet."""

    step_id = fields.Integer(required=True, allow_none=True)
    generation = fields.Integer(
        required=True, allow_none=True, metadata={"description": "Grows when the process is run again from a step"}
    )
    key = fields.String(required=True, metadata={"description": "Its place in the workflow; stable"})
    name = fields.String(required=True)
    status = fields.String(required=True, validate=validate.OneOf(_STEP_STATUSES))
    created_by = fields.String(required=True, allow_none=True)
    started = fields.AwareDateTime(required=True, allow_none=True)
    completed = fields.AwareDateTime(required=True, allow_none=True)
    state_delta = fields.Dict(
        keys=fields.String(), required=True, allow_none=True, metadata={"description": "What it changed in the state"}
    )
    removed_keys = fields.List(
        fields.String(), required=True, metadata={"description": "What it took out of the state"}
    )
    attempt = fields.Integer(required=True, allow_none=True)
    error = fields.Nested(StepErrorSchema, required=True, allow_none=True)
    worker = fields.String(required=True, allow_none=True)
    task_id = fields.String(required=True, allow_none=True, metadata={"description": "The Celery task that ran it"})


class ProcessStartSchema(Schema):
    """A place from which the process began to run."""

    generation = fields.Integer(required=True)
    cause = fields.String(required=True, validate=validate.OneOf(["start", "rerun", "migrate"]))
    step_key = fields.String(required=True, allow_none=True)
    created_by = fields.String(required=True)
    reason = fields.String(required=True, allow_none=True)
    created_at = fields.AwareDateTime(required=True)


class ProcessDetailSchema(ProcessSchema):
    """A process with all its steps: those of the past in their order, the running one, those to come."""

    traceback = fields.String(required=True, allow_none=True)
    current_state = fields.Dict(keys=fields.String(), required=True)
    steps = fields.List(fields.Nested(ProcessStepSchema), required=True)
    starts = fields.List(
        fields.Nested(ProcessStartSchema),
        required=True,
        metadata={"description": "Its start, and each time that an operator ran it again or moved it"},
    )
    form = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "JSON schema of the first page that a suspended process waits for"},
    )
    form_error = fields.String(
        required=True,
        allow_none=True,
        metadata={"description": "Why the page that it waits for cannot be shown: the code of the form failed"},
    )
    tries = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Of one that waits for a retry: how often the step ran"},
    )
    most_tries = fields.Integer(
        required=True,
        allow_none=True,
        metadata={"description": "Of one that waits for a retry: how often the step may run; null: without limit"},
    )
    callback_progress = fields.Raw(
        required=True,
        allow_none=True,
        metadata={"description": "What the outside system last told about the callback that is waited for"},
    )


class StartedSchema(Schema):
    """The process that was started."""

    id = fields.UUID(required=True, attribute="process_id")


class StatusCountsSchema(Schema):
    """How many processes there are in each status that any is in."""

    process_counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)
    task_counts = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class FormNotCompleteSchema(ProblemSchema):
    """The form has another page to fill in: post the pages so far and this one."""

    form = fields.Dict(keys=fields.String(), required=True, metadata={"description": "JSON schema of the page"})
    meta = fields.Dict(
        keys=fields.String(),
        required=True,
        allow_none=True,
        metadata={"description": "`hasNext`: whether further pages follow"},
    )


class StatusCountsParameters(RequestSchema):
    """What is counted."""

    ended = fields.Boolean(
        load_default=True,
        metadata={
            "description": "Whether completed and aborted ones are counted, which takes longer with each of them"
        },
    )


class ReporterParameters(RequestSchema):
    """In whose name something is done."""

    reporter = fields.String(
        validate=validate.Length(max=MAX_REPORTER_LENGTH),
        metadata={"description": "In whose name; looked at only when the caller may speak for others"},
    )


class IdempotencyHeaders(Schema):
    """A key that makes it safe to send a request again."""

    class Meta:
        """A request has more headers than these."""

        unknown = EXCLUDE

    idempotency_key = fields.String(
        data_key="Idempotency-Key",
        validate=validate.Length(min=1, max=MAX_KEY_LENGTH),
        metadata={"description": "The same request with the same key starts one process and gets the same answer"},
    )


class NoteChange(RequestSchema):
    """What is to change."""

    note = fields.String(allow_none=True, validate=validate.Length(max=MAX_NOTE_LENGTH))


class ReasonSchema(RequestSchema):
    """Why something is done."""

    reason = fields.String(allow_none=True, validate=validate.Length(max=MAX_REASON_LENGTH))


class SkipReason(RequestSchema):
    """Why a step is gone past."""

    reason = fields.String(required=True, validate=validate.Length(min=1, max=MAX_REASON_LENGTH))


class StepChoice(RequestSchema):
    """The step to go on with, and why."""

    step = fields.String(required=True, metadata={"description": "The key of a step"})
    reason = fields.String(allow_none=True, validate=validate.Length(max=MAX_REASON_LENGTH))


class AbortReason(RequestSchema):
    """Why a process is ended."""

    reason = fields.String(allow_none=True, validate=validate.Length(max=MAX_REASON_LENGTH))
    release_subscription = TrueOrFalse(
        metadata={"description": "Put its subscription in sync, which stays out of sync otherwise"}
    )
