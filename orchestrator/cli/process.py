"""`orchestrator process`: start, follow and mend processes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from uuid import UUID

import click

from orchestrator.cli.exit_status import ExitStatus
from orchestrator.cli.list_options import list_options, list_query, print_page, status_option
from orchestrator.cli.output import json_option, local_time, print_json
from orchestrator.cli.pages import pages_of, read_input, read_values, send, show_pages, tell_page
from orchestrator.cli.process_control import migrate, pause, rerun, skip, tell_status, unpause, watch_option
from orchestrator.cli.tools import LoadTools
from orchestrator.cli.use_cases import opened_context, operating_system_user
from orchestrator.cli.watching import print_detail, watch_process
from orchestrator.errors import FormIncompleteError
from orchestrator.language.vocabulary import ProcessStatus
from orchestrator.services.process_views import ProcessView, list_processes, process_detail
from orchestrator.services.processes import abort_process, resume_process, start_process
from orchestrator.services.starting import check_start

Answer = TypeVar("Answer")

input_option = click.option(
    "--input", "given_input", metavar="JSON", help="The pages of the form: a list of objects, @FILE, or - for stdin."
)
set_option = click.option(
    "--set", "pairs", multiple=True, metavar="NAME=VALUE", help="A field of the form, on whichever page it is."
)


@click.group
def process() -> None:
    """Start, follow and mend processes."""


for mending in (pause, unpause, skip, rerun, migrate):
    process.add_command(mending)


@process.command
@click.argument("workflow")
@input_option
@set_option
@click.option("--product", help="The product to create, by name or id: as --set product=...")
@click.option(
    "--subscription", type=click.UUID, metavar="ID", help="The subscription to work on: as --set subscription_id=..."
)
@click.option("--idempotency-key", metavar="KEY", help="With --input: the same again starts nothing more.")
@click.option("--show-form", is_flag=True, help="Show the pages of its form, as far as they are given; start nothing.")
@watch_option
@json_option
@click.pass_context
def start(
    ctx: click.Context,
    workflow: str,
    given_input: str | None,
    pairs: tuple[str, ...],
    product: str | None,
    subscription: UUID | None,
    idempotency_key: str | None,
    show_form: bool,
    watch: bool,
    as_json: bool,
) -> None:
    """Start WORKFLOW. When its form asks for more than was given, nothing starts and the page's fields are shown."""
    values = read_values(pairs)
    chosen = {"product": product, "subscription_id": subscription}
    values |= {name: str(value) for name, value in chosen.items() if value is not None}
    if idempotency_key is not None and values:
        # Finding the page that a value belongs to takes several requests, which one key cannot stand for.
        raise click.UsageError("--idempotency-key needs all pages as --input")
    pages = read_input(given_input)
    with opened_context(ctx.obj) as context:
        if show_form:
            check = partial(check_start, context, operating_system_user(), workflow)
            show_pages(pages_of(check, pages, values), as_json)
            return

        def send_pages(filled: Any) -> UUID:
            actor = operating_system_user()
            return start_process(context, actor, workflow, filled, idempotency_key=idempotency_key).process_id

        process_id = _send(ctx, send_pages, pages, values, as_json)
        if watch:
            ctx.exit(watch_process(context, process_id, as_json))
    if as_json:
        print_json({"process_id": process_id})
    else:
        click.echo(f"Started {process_id}")


@process.command("list")
@status_option(ProcessStatus)
@click.option("--workflow", help="Of workflows whose name has this in it.")
@list_options
@json_option
@click.pass_obj
def list_(
    load_tools: LoadTools,
    status: str | None,
    workflow: str | None,
    filters: str,
    sort: str,
    page: int,
    page_size: int,
    as_json: bool,
) -> None:
    """List processes, the newest first."""
    query = list_query(filters, sort, page, page_size, status=status, workflow_name=workflow)
    with opened_context(load_tools) as context:
        found = list_processes(context, query)
    columns = ("process", "status", "workflow", "last step", "subscription", "started", "by")
    print_page(found, as_json, columns, _row)


def _row(one: ProcessView) -> tuple[object, ...]:
    started, subscriptions = local_time(one.started_at), ", ".join(each.description for each in one.subscriptions)
    return (
        one.process_id,
        f"{one.last_status}, paused" if one.paused else one.last_status,
        one.workflow_name,
        one.last_step,
        subscriptions,
        started,
        one.created_by,
    )


@process.command
@click.argument("process_id", type=click.UUID)
@json_option
@click.pass_obj
def show(load_tools: LoadTools, process_id: UUID, as_json: bool) -> None:
    """Show a process with its steps."""
    with opened_context(load_tools) as context:
        detail = process_detail(context, process_id)
    if as_json:
        print_json(detail)
    else:
        print_detail(detail)


@process.command
@click.argument("process_id", type=click.UUID)
@json_option
@click.pass_context
def watch(ctx: click.Context, process_id: UUID, as_json: bool) -> None:
    """Follow a process until it has ended, failed, or waits for somebody.

    Exits 0 when it is completed, 1 when it failed or was aborted, 8 when it waits for input or an answer.
    """
    with opened_context(ctx.obj) as context:
        ctx.exit(watch_process(context, process_id, as_json))


@process.command
@click.argument("process_id", type=click.UUID)
@input_option
@set_option
@watch_option
@json_option
@click.pass_context
def resume(
    ctx: click.Context, process_id: UUID, given_input: str | None, pairs: tuple[str, ...], watch: bool, as_json: bool
) -> None:
    """Retry the step that failed, or give a process the input that it waits for."""
    values, pages = read_values(pairs), read_input(given_input)
    with opened_context(ctx.obj) as context:

        def send_pages(filled: Any) -> None:
            resume_process(context, operating_system_user(), process_id, filled)

        _send(ctx, send_pages, pages, values, as_json)
        if watch:
            ctx.exit(watch_process(context, process_id, as_json))
        tell_status(context, process_id, "Resumed", as_json)


@process.command
@click.argument("process_id", type=click.UUID)
@click.option("--reason", help="Why; it is kept in the audit.")
@click.option("--release-subscription", is_flag=True, help="Put its subscription in sync, too.")
@json_option
@click.pass_obj
def abort(
    load_tools: LoadTools, process_id: UUID, reason: str | None, release_subscription: bool, as_json: bool
) -> None:
    """End a process unfinished. Its subscription stays out of sync, unless it is released."""
    with opened_context(load_tools) as context:
        actor = operating_system_user()
        abort_process(context, actor, process_id, reason, release_subscription=release_subscription)
        tell_status(context, process_id, "Aborted", as_json)


def _send(
    ctx: click.Context, send_pages: Callable[[Any], Answer], pages: Any, values: dict[str, str], as_json: bool
) -> Answer:
    try:
        return send(send_pages, pages, values)
    except FormIncompleteError as incomplete:
        tell_page(incomplete, as_json)
        ctx.exit(ExitStatus.INVALID_INPUT)
