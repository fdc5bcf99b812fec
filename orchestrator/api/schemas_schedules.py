"""Schedules on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import marshmallow
from marshmallow import Schema, fields, validate, validates_schema
from typing_extensions import override

from orchestrator.api.schemas import RequestSchema
from orchestrator.services.schedule_plans import Overlap

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_CRON_PARTS: Final = ("minute", "hour", "day", "month", "day_of_week")
_SECONDS: Final = {"weeks": 604_800, "days": 86_400, "hours": 3600, "minutes": 60, "seconds": 1}


class Moment(fields.Field[datetime]):
    """ISO 8601; without an offset it is a time of the schedule's time zone."""

    @override
    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> datetime:
        try:
            if not isinstance(value, str):
                raise TypeError
            return datetime.fromisoformat(value)
        except (TypeError, ValueError):
            raise marshmallow.ValidationError("Not a time; write 2026-01-31T12:00:00+01:00.") from None


class Number(fields.Float):
    """A number of JSON: texts and booleans are refused."""

    @override
    def _validated(self, value: Any) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.make_error("invalid", input=value)
        return super()._validated(value)


_MOMENT: Final = {"type": "string", "format": "date-time"}


class ScheduleFields(RequestSchema):
    """What a schedule is made of: one of `cron`, `every` and `at`."""

    name = fields.String(allow_none=True, metadata={"description": "What people call it; the workflow's name"})
    user_inputs = fields.Raw(
        attribute="pages",
        metadata={
            "description": "The pages of the workflow's form, as for its start",
            "type": ["array", "null"],
            "items": {"type": "object", "additionalProperties": True},
        },
    )
    subscription_id = fields.UUID(metadata={"description": "To work on: goes into the first page"})
    cron = fields.String(allow_none=True, metadata={"description": "Minute, hour, day of month, month, day of week"})
    every = Number(allow_none=True, metadata={"description": "Seconds from one due time to the next"})
    at = Moment(allow_none=True, metadata={**_MOMENT, "description": "Once; without an offset in the time zone"})
    time_zone = fields.String(metadata={"description": "Like Europe/Amsterdam; UTC if not given"})
    jitter = Number(metadata={"description": "Each run begins up to so many seconds after its due time"})
    overlap = fields.String(
        metadata={
            "description": "When a process of an earlier run is under way: skip (if not given), queue or allow",
            "enum": list(Overlap),
        }
    )
    start_at = Moment(allow_none=True, metadata={**_MOMENT, "description": "Not due before; intervals count from here"})
    end_at = Moment(allow_none=True, metadata={**_MOMENT, "description": "Not due after"})
    trigger = fields.String(
        validate=validate.OneOf(["interval", "cron", "date"]),
        metadata={"description": "With trigger_kwargs, instead of cron, every and at"},
    )
    trigger_kwargs = fields.Dict(keys=fields.String(), metadata={"description": "As APScheduler's triggers take them"})

    @validates_schema
    def _both(self, data: Mapping[str, Any], **_: Any) -> None:
        if ("trigger" in data) != ("trigger_kwargs" in data):
            missing = "trigger" if "trigger_kwargs" in data else "trigger_kwargs"
            raise marshmallow.ValidationError("trigger and trigger_kwargs go together.", missing)


class ScheduleCreate(ScheduleFields):
    """A new schedule."""

    workflow_name = fields.String(required=True)
    workflow_id = fields.UUID(metadata={"description": "Has to be that of the name, when it is given"})
    scheduled_type = fields.String(validate=validate.OneOf(["create"]))


class ScheduleChange(ScheduleFields):
    """What is to change of a schedule."""

    version = fields.Integer(strict=True, metadata={"description": "That was seen; refused with 409 when it is old"})


class ScheduleChangeById(ScheduleChange):
    """What is to change of a schedule that is named here."""

    schedule_id = fields.UUID(required=True)
    scheduled_type = fields.String(validate=validate.OneOf(["update"]))


class ScheduleChoice(RequestSchema):
    """A schedule, or all those of a workflow."""

    schedule_id = fields.UUID(allow_none=True)
    workflow_id = fields.UUID(allow_none=True)
    scheduled_type = fields.String(validate=validate.OneOf(["delete"]))

    @validates_schema
    def _one(self, data: Mapping[str, Any], **_: Any) -> None:
        if data.get("schedule_id") is None and data.get("workflow_id") is None:
            raise marshmallow.ValidationError("Say which schedule.", "schedule_id")


class ScheduleRunSchema(Schema):
    """What one due time came to."""

    due_at = fields.AwareDateTime(required=True)
    outcome = fields.String(required=True, metadata={"description": "started, queued, skipped or refused"})
    process_id = fields.UUID(required=True, allow_none=True)
    reason = fields.String(required=True, allow_none=True)
    missed_until = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "It stands for all that was due and missed until then"}
    )
    requested_by = fields.String(required=True, allow_none=True, metadata={"description": "Who ran it by hand"})
    recorded_at = fields.AwareDateTime(required=True)


class DueTimeSchema(Schema):
    """A due time to come; `run_at` has the jitter in it."""

    due_at = fields.AwareDateTime(required=True)
    run_at = fields.AwareDateTime(required=True)


class ScheduleSchema(Schema):
    """A schedule."""

    schedule_id = fields.UUID(required=True)
    name = fields.String(required=True)
    workflow_name = fields.String(required=True)
    workflow_id = fields.UUID(required=True, allow_none=True)
    workflow_target = fields.String(required=True, allow_none=True)
    workflow_description = fields.String(required=True, allow_none=True)
    has_code = fields.Boolean(required=True, metadata={"description": "Whether this server has the workflow's code"})
    user_inputs = fields.Raw(required=True, metadata={"description": "The pages of the workflow's form"})
    subscription_id = fields.UUID(required=True, allow_none=True)
    subscription_description = fields.String(required=True, allow_none=True)
    cron = fields.String(required=True, allow_none=True)
    every = fields.Float(required=True, allow_none=True)
    at = fields.AwareDateTime(required=True, allow_none=True)
    time_zone = fields.String(required=True)
    jitter = fields.Float(required=True)
    overlap = fields.String(required=True)
    start_at = fields.AwareDateTime(required=True)
    end_at = fields.AwareDateTime(required=True, allow_none=True)
    paused = fields.Boolean(required=True)
    next_due_at = fields.AwareDateTime(required=True, allow_none=True)
    next_run_at = fields.AwareDateTime(
        required=True, allow_none=True, metadata={"description": "Null: paused, or no further run comes"}
    )
    version = fields.Integer(required=True, metadata={"description": "Counts changes, not runs"})
    owner = fields.String(required=True, metadata={"description": "Who wrote it last, in whose name it starts"})
    created_by = fields.String(required=True)
    created_at = fields.AwareDateTime(required=True)
    last_modified_at = fields.AwareDateTime(required=True)
    last_run = fields.Nested(ScheduleRunSchema, required=True, allow_none=True)


class ScheduleDetailSchema(ScheduleSchema):
    """A schedule with its next and its last runs."""

    next_runs = fields.List(
        fields.Nested(DueTimeSchema),
        required=True,
        metadata={"description": "The next five; of a paused one as they would be were it to go on now"},
    )
    last_runs = fields.List(
        fields.Nested(ScheduleRunSchema), required=True, metadata={"description": "The latest first"}
    )


class ScheduleWrittenSchema(ScheduleDetailSchema):
    """A schedule that was made or changed."""

    message = fields.String(required=True)
    status = fields.String(required=True, metadata={"description": "CREATED or UPDATED"})


class ScheduleDeletedSchema(Schema):
    """What was deleted."""

    message = fields.String(required=True)
    status = fields.String(required=True, metadata={"description": "DELETED"})


def plain_trigger(trigger: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The fields `cron`, `every`, `at`, `time_zone`, `jitter`, `start_at` and `end_at` for a trigger of APScheduler.

    Raises:
        marshmallow.ValidationError: an option is not known, or cannot be used.
    """
    rest = dict(options)
    found: dict[str, Any] = {}
    for ours, theirs in (("start_at", "start_date"), ("end_at", "end_date")):
        if rest.get(theirs) is not None and trigger != "date":
            found[ours] = Moment().deserialize(rest.pop(theirs))
    if rest.get("timezone") is not None:
        found["time_zone"] = fields.String().deserialize(rest.pop("timezone"))
    if rest.get("jitter") is not None and trigger != "date":
        found["jitter"] = Number().deserialize(rest.pop("jitter"))
    match trigger:
        case "cron":
            found["cron"] = _cron({name: rest.pop(name) for name in _CRON_PARTS if rest.get(name) is not None})
        case "interval":
            parts = {name: Number().deserialize(rest.pop(name)) for name in _SECONDS if rest.get(name) is not None}
            if not parts:
                raise marshmallow.ValidationError(f"An interval needs one of {', '.join(_SECONDS)}.")
            found["every"] = sum(_SECONDS[name] * value for name, value in parts.items())
        case _:
            found["at"] = Moment().deserialize(rest.pop("run_date", None))
    if unknown := [name for name, value in rest.items() if value is not None]:
        raise marshmallow.ValidationError(f"{', '.join(unknown)} cannot be used with the trigger {trigger}.")
    return found


def _cron(parts: Mapping[str, Any]) -> str:
    """APScheduler fills fields before the most precise one given with a star, those after it with their least."""
    if not parts:
        raise marshmallow.ValidationError(f"A cron trigger needs one of {', '.join(_CRON_PARTS)}.")
    least = {"minute": "0", "hour": "0", "day": "*", "month": "*", "day_of_week": "*"}
    finest = min(_CRON_PARTS.index(name) for name in parts)
    written = []
    for place, name in enumerate(_CRON_PARTS):
        given = parts.get(name)
        if given is None:
            written.append(least[name] if place < finest else "*")
        else:
            text = str(given).strip()
            written.append(_week_days(text) if name == "day_of_week" else text)
    return " ".join(written)


def _week_days(text: str) -> str:
    # Its days are counted from Monday, those of cron from Sunday.
    return ",".join(
        "-".join(_DAYS[int(day)] if day in set("0123456") else day for day in part.split("-"))
        for part in text.split(",")
    )
