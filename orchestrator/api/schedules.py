"""Schedules: start a workflow again and again, or once later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import marshmallow

from orchestrator.api.endpoints import build_blueprint, endpoint
from orchestrator.api.lists import ListAnswer, ListParameters, list_answer, list_document, list_query
from orchestrator.api.parsing import refuse
from orchestrator.api.problems import PROBLEM_JSON
from orchestrator.api.requests import current_actor, current_context, request_id
from orchestrator.api.schemas_processes import FormNotCompleteSchema, ReasonSchema, StartedSchema
from orchestrator.api.schemas_schedules import (
    ScheduleChange,
    ScheduleChangeById,
    ScheduleChoice,
    ScheduleCreate,
    ScheduleDeletedSchema,
    ScheduleDetailSchema,
    ScheduleRunSchema,
    ScheduleSchema,
    ScheduleWrittenSchema,
    plain_trigger,
)
from orchestrator.services import schedules
from orchestrator.services.processes import Started
from orchestrator.services.schedule_plans import WANTED_FIELDS, Wanted, with_subscription
from orchestrator.services.schedule_views import (
    RUN_LIST,
    SCHEDULE_LIST,
    ScheduleRun,
    ScheduleView,
    list_runs,
    list_schedules,
    schedule_detail,
)

blueprint = build_blueprint("schedules", "/schedules", "Workflows that start by the clock.")

_FORM: Final[dict[str, Any]] = {
    "responses": {
        "510": {
            "description": "The workflow's form has another page to fill in",
            "content": {PROBLEM_JSON: {"schema": FormNotCompleteSchema}},
        }
    }
}


@endpoint(
    blueprint,
    "GET",
    "/",
    response=ScheduleSchema(many=True),
    query=ListParameters,
    document=list_document(SCHEDULE_LIST),
)
def list_all_schedules(query: dict[str, Any]) -> ListAnswer[ScheduleView]:
    """List schedules."""
    return list_answer(list_schedules(current_context(), list_query(query)))


@endpoint(
    blueprint,
    "POST",
    "/",
    response=ScheduleWrittenSchema,
    status=201,
    body=ScheduleCreate,
    errors=(404,),
    document=_FORM,
)
def create_schedule(body: dict[str, Any]) -> dict[str, Any]:
    """Make a schedule; when the workflow's form asks for more, say what for."""
    context = current_context()
    if "workflow_id" in body:
        schedules.require_workflow(context, body["workflow_id"], body["workflow_name"])
    wanted = Wanted(body["workflow_name"]).changed(_changes(body, None))
    schedule_id = schedules.create_schedule(context, current_actor(), wanted, request_id=request_id())
    return {**_detail(schedule_id), "message": "The schedule was created.", "status": "CREATED"}


@endpoint(
    blueprint,
    "PUT",
    "/",
    response=ScheduleWrittenSchema,
    body=ScheduleChangeById,
    errors=(404, 409),
    document=_FORM,
)
def change_named_schedule(body: dict[str, Any]) -> dict[str, Any]:
    """Change the schedule that the body names."""
    return _change(body["schedule_id"], body)


@endpoint(blueprint, "DELETE", "/", response=ScheduleDeletedSchema, body=ScheduleChoice, errors=(404,))
def delete_named_schedules(body: dict[str, Any]) -> dict[str, Any]:
    """Delete the schedule that the body names, or all those of a workflow."""
    deleted = schedules.delete_schedules(
        current_context(), current_actor(), body.get("schedule_id"), body.get("workflow_id"), request_id=request_id()
    )
    return {"message": f"{deleted} deleted.", "status": "DELETED"}


@endpoint(blueprint, "GET", "/<id:schedule_id>", response=ScheduleDetailSchema, errors=(404,))
def get_schedule(schedule_id: UUID) -> dict[str, Any]:
    """Show one schedule with its next five and its last runs."""
    return _detail(schedule_id)


@endpoint(
    blueprint,
    "PATCH",
    "/<id:schedule_id>",
    response=ScheduleWrittenSchema,
    body=ScheduleChange,
    errors=(404, 409),
    document=_FORM,
)
def change_schedule(schedule_id: UUID, body: dict[str, Any]) -> dict[str, Any]:
    """Change a schedule: the fields that are sent."""
    return _change(schedule_id, body)


@endpoint(blueprint, "DELETE", "/<id:schedule_id>", status=204, errors=(404,))
def delete_schedule(schedule_id: UUID) -> None:
    """Delete a schedule; the processes that it started stay."""
    schedules.delete_schedule(current_context(), current_actor(), schedule_id, request_id=request_id())


@endpoint(
    blueprint,
    "PUT",
    "/<id:schedule_id>/pause",
    status=204,
    body=ReasonSchema,
    body_required=False,
    errors=(404, 409),
)
def pause_schedule(schedule_id: UUID, body: dict[str, Any]) -> None:
    """Let no run of a schedule begin; what comes due meanwhile is not made up for."""
    schedules.pause_schedule(
        current_context(), current_actor(), schedule_id, body.get("reason"), request_id=request_id()
    )


@endpoint(
    blueprint,
    "PUT",
    "/<id:schedule_id>/unpause",
    status=204,
    body=ReasonSchema,
    body_required=False,
    errors=(404, 409),
)
def unpause_schedule(schedule_id: UUID, body: dict[str, Any]) -> None:
    """Let a paused schedule go on with its next due time."""
    schedules.unpause_schedule(
        current_context(), current_actor(), schedule_id, body.get("reason"), request_id=request_id()
    )


@endpoint(
    blueprint,
    "POST",
    "/<id:schedule_id>/run",
    response=StartedSchema,
    status=201,
    errors=(404, 409, 412),
    document=_FORM,
)
def run_schedule(schedule_id: UUID) -> Started:
    """Start the workflow of a schedule now."""
    return schedules.run_schedule(current_context(), current_actor(), schedule_id, request_id=request_id())


@endpoint(
    blueprint,
    "GET",
    "/<id:schedule_id>/runs",
    response=ScheduleRunSchema(many=True),
    query=ListParameters,
    errors=(404,),
    document=list_document(RUN_LIST),
)
def list_schedule_runs(schedule_id: UUID, query: dict[str, Any]) -> ListAnswer[ScheduleRun]:
    """List what the due times of a schedule came to, the latest first."""
    return list_answer(list_runs(current_context(), schedule_id, list_query(query)))


def _change(schedule_id: UUID, body: Mapping[str, Any]) -> dict[str, Any]:
    pages = None
    if "subscription_id" in body and "pages" not in body:
        pages = schedule_detail(current_context(), schedule_id).schedule.user_inputs
    schedules.change_schedule(
        current_context(),
        current_actor(),
        schedule_id,
        _changes(body, pages),
        version=body.get("version"),
        request_id=request_id(),
    )
    return {**_detail(schedule_id), "message": "The schedule was changed.", "status": "UPDATED"}


def _changes(body: Mapping[str, Any], present_pages: Any) -> dict[str, Any]:
    changes = {name: value for name, value in body.items() if name in WANTED_FIELDS}
    if "subscription_id" in body:
        changes["pages"] = with_subscription(changes.get("pages", present_pages), body["subscription_id"])
    if "trigger" in body:
        if given := [name for name in ("cron", "every", "at") if name in body]:
            refuse({"json": {"trigger": [f"Give this or {given[0]}."]}})
        try:
            changes |= plain_trigger(body["trigger"], body["trigger_kwargs"])
        except marshmallow.ValidationError as error:
            refuse({"json": {"trigger_kwargs": error.messages}})
    return changes


def _detail(schedule_id: UUID) -> dict[str, Any]:
    found = schedule_detail(current_context(), schedule_id)
    return {**vars(found.schedule), **vars(found)}
