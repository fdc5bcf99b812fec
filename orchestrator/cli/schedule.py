"""`orchestrator schedule`: start workflows by the clock."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

import click

from orchestrator.cli.exit_status import ExitStatus
from orchestrator.cli.list_options import list_options, list_query, print_page
from orchestrator.cli.output import json_option, local_time, print_json, print_table
from orchestrator.cli.pages import read_input, read_values, send, tell_page
from orchestrator.cli.tools import LoadTools
from orchestrator.cli.use_cases import opened_context, operating_system_user
from orchestrator.errors import FormIncompleteError, InvalidScheduleError
from orchestrator.services import schedules
from orchestrator.services.context import Context
from orchestrator.services.schedule_plans import Overlap, Wanted
from orchestrator.services.schedule_views import ScheduleDetail, ScheduleView, list_schedules, schedule_detail

Function = TypeVar("Function", bound=Callable[..., Any])

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

schedule_argument = click.argument("schedule_id", type=click.UUID)
reason_option = click.option("--reason", help="Why; it is kept in the audit.")

_OPTIONS = (
    click.option("--name", help="What people call it; the workflow's name if not given."),
    click.option("--cron", metavar="'MIN HOUR DAY MONTH WEEKDAY'", help="When clocks show this."),
    click.option("--every", metavar="90s|5m|6h|1d", help="Again and again, after so long."),
    click.option("--at", metavar="TIME", help="Once: 2026-01-31T12:00, in the time zone if it has no offset."),
    click.option("--time-zone", metavar="NAME", help="Like Europe/Amsterdam; UTC if not given."),
    click.option("--jitter", type=float, metavar="SECONDS", help="Begin up to so much later, each time otherwise."),
    click.option(
        "--overlap",
        type=click.Choice([policy.value for policy in Overlap]),
        help="When a process of an earlier run is under way: skip, if not given.",
    ),
    click.option("--from", "start_at", metavar="TIME", help="Not before; intervals count from here."),
    click.option("--until", "end_at", metavar="TIME", help="Not after."),
    click.option(
        "--input",
        "given_input",
        metavar="JSON",
        help="The pages of the form: a list of objects, @FILE, or - for stdin.",
    ),
    click.option("--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A field of the form, on any page."),
    click.option(
        "--subscription",
        type=click.UUID,
        metavar="ID",
        help="The subscription to work on: as --set subscription_id=...",
    ),
    json_option,
)


def _schedule_options(function: Function) -> Function:
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


@click.group
def schedule() -> None:
    """Start workflows by the clock: again and again, or once later."""


@schedule.command
@click.argument("workflow")
@_schedule_options
@click.pass_context
def create(ctx: click.Context, /, workflow: str, **options: Any) -> None:
    """Start WORKFLOW by the clock: give one of --cron, --every and --at."""
    with opened_context(ctx.obj) as context:
        actor = operating_system_user()
        wanted = Wanted(workflow).changed(_changes(options))

        def write(pages: Any) -> UUID:
            return schedules.create_schedule(context, actor, wanted.changed({"pages": pages}))

        _written(ctx, context, write, options, "Created")


@schedule.command
@schedule_argument
@_schedule_options
@click.option("--version", type=int, help="Refuse when somebody else has changed it since this version.")
@click.pass_context
def edit(ctx: click.Context, /, schedule_id: UUID, version: int | None, **options: Any) -> None:
    """Change what is given. From now on it starts in your name."""
    with opened_context(ctx.obj) as context:
        actor, changes = operating_system_user(), _changes(options)

        def write(pages: Any) -> UUID:
            more = {} if pages is None else {"pages": pages}
            schedules.change_schedule(context, actor, schedule_id, {**changes, **more}, version=version)
            return schedule_id

        _written(ctx, context, write, options, "Changed")


@schedule.command("list")
@click.option("--workflow", help="Of workflows whose name has this in it.")
@list_options
@json_option
@click.pass_obj
def list_(
    load_tools: LoadTools, workflow: str | None, filters: str, sort: str, page: int, page_size: int, as_json: bool
) -> None:
    """List schedules, the newest first."""
    query = list_query(filters, sort, page, page_size, workflow_name=workflow)
    with opened_context(load_tools) as context:
        found = list_schedules(context, query)
    columns = ("schedule", "name", "workflow", "when", "next run", "last run", "subscription")
    print_page(found, as_json, columns, _row)


@schedule.command
@schedule_argument
@json_option
@click.pass_obj
def show(load_tools: LoadTools, schedule_id: UUID, as_json: bool) -> None:
    """Show a schedule with its next five runs and its last ones."""
    with opened_context(load_tools) as context:
        detail = schedule_detail(context, schedule_id)
    if as_json:
        print_json({**vars(detail.schedule), "next_runs": detail.next_runs, "last_runs": detail.last_runs})
    else:
        _print_detail(detail)


@schedule.command
@schedule_argument
@reason_option
@json_option
@click.pass_obj
def pause(load_tools: LoadTools, schedule_id: UUID, reason: str | None, as_json: bool) -> None:
    """Let no run begin. What comes due meanwhile is not made up for."""
    with opened_context(load_tools) as context:
        schedules.pause_schedule(context, operating_system_user(), schedule_id, reason)
    _tell(schedule_id, "Paused", as_json)


@schedule.command
@schedule_argument
@reason_option
@json_option
@click.pass_obj
def unpause(load_tools: LoadTools, schedule_id: UUID, reason: str | None, as_json: bool) -> None:
    """Let a paused schedule go on with its next due time."""
    with opened_context(load_tools) as context:
        schedules.unpause_schedule(context, operating_system_user(), schedule_id, reason)
    _tell(schedule_id, "Unpaused", as_json)


@schedule.command
@schedule_argument
@json_option
@click.pass_obj
def run(load_tools: LoadTools, schedule_id: UUID, as_json: bool) -> None:
    """Start its workflow now, even while it is paused or runs already."""
    with opened_context(load_tools) as context:
        process_id = schedules.run_schedule(context, operating_system_user(), schedule_id).process_id
    if as_json:
        print_json({"process_id": process_id})
    else:
        click.echo(f"Started {process_id}")


@schedule.command
@schedule_argument
@json_option
@click.pass_obj
def delete(load_tools: LoadTools, schedule_id: UUID, as_json: bool) -> None:
    """Delete a schedule. The processes that it started stay."""
    with opened_context(load_tools) as context:
        schedules.delete_schedule(context, operating_system_user(), schedule_id)
    _tell(schedule_id, "Deleted", as_json)


def _written(
    ctx: click.Context, context: Context, write: Callable[[Any], UUID], options: dict[str, Any], verb: str
) -> None:
    values, pages = read_values(options["pairs"]), read_input(options["given_input"])
    if options["subscription"] is not None:
        values["subscription_id"] = str(options["subscription"])
    try:
        # Only what is to be filled in needs the way from page to page.
        schedule_id = send(write, pages, values) if values or pages is not None else write(None)
    except FormIncompleteError as incomplete:
        tell_page(incomplete, options["as_json"])
        ctx.exit(ExitStatus.INVALID_INPUT)
    _tell(schedule_id, verb, options["as_json"])
    if not options["as_json"]:
        _print_next(schedule_detail(context, schedule_id))


def _changes(options: dict[str, Any]) -> dict[str, Any]:
    plain = ("name", "cron", "time_zone", "jitter", "overlap")
    changes: dict[str, Any] = {name: options[name] for name in plain if options[name] is not None}
    for name in ("at", "start_at", "end_at"):
        if options[name] is not None:
            changes[name] = _time(name, options[name])
    if options["every"] is not None:
        changes["every"] = _seconds(options["every"])
    return changes


def _time(name: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        raise InvalidScheduleError(name, f"{text!r} is no time; write 2026-01-31T12:00 or with an offset") from None


def _seconds(text: str) -> float:
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise InvalidScheduleError("every", f"{text!r} is no time span; write 90s, 5m, 6h or 1d") from None


def _tell(schedule_id: UUID, verb: str, as_json: bool) -> None:
    if as_json:
        print_json({"schedule_id": schedule_id})
    else:
        click.echo(f"{verb} {schedule_id}")


def _when(one: ScheduleView) -> str:
    if one.cron is not None:
        return f"{one.cron} {one.time_zone}"
    return f"every {_span(one.every)}" if one.every is not None else f"once at {local_time(one.at)}"


def _span(seconds: float) -> str:
    """A time span as `--every` takes it, in the largest unit that divides it."""
    length, unit = max((length, unit) for unit, length in _UNITS.items() if length == 1 or seconds % length == 0)
    return f"{seconds / length:.10g}{unit}"


def _row(one: ScheduleView) -> tuple[object, ...]:
    following = "paused" if one.paused else local_time(one.next_run_at) or "no more"
    last = one.last_run
    told = "" if last is None else f"{local_time(last.due_at)} {last.outcome}"
    about = one.subscription_description or one.subscription_id
    return one.schedule_id, one.name, one.workflow_name, _when(one), following, told, about


def _print_detail(detail: ScheduleDetail) -> None:
    one = detail.schedule
    paused = ", paused" if one.paused else ""
    click.echo(f"{one.name}: {one.workflow_name}, {_when(one)}{paused}, in the name of {one.owner}")
    if one.user_inputs:
        click.echo(f"with {one.user_inputs}")
    _print_next(detail)
    rows = [(local_time(run.due_at), run.outcome, run.process_id, run.reason) for run in detail.last_runs]
    print_table(("due", "came to", "process", "because"), rows)


def _print_next(detail: ScheduleDetail) -> None:
    told = [f"{following.run_at.astimezone():%Y-%m-%d %H:%M:%S %Z}" for following in detail.next_runs]
    click.echo(f"Next runs: {', '.join(told) or 'none'}")
