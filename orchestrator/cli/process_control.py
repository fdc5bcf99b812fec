"""Commands of `orchestrator process` that mend a process under way."""

from __future__ import annotations

from uuid import UUID

import click

from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.tools import LoadTools
from orchestrator.cli.use_cases import opened_context, operating_system_user
from orchestrator.cli.watching import watch_process
from orchestrator.services.context import Context
from orchestrator.services.moving import migrate_process, rerun_process, skip_step
from orchestrator.services.pausing import pause_process, unpause_process
from orchestrator.services.process_views import process_detail

process_argument = click.argument("process_id", type=click.UUID)
step_option = click.option(
    "--step", "step_key", metavar="KEY", required=True, help="The key of the step to go on with."
)
watch_option = click.option("--watch", "-w", is_flag=True, help="Then follow it as `process watch` does.")
reason_option = click.option("--reason", help="Why; it is kept in the audit.")


@click.command
@process_argument
@reason_option
@json_option
@click.pass_obj
def pause(load_tools: LoadTools, process_id: UUID, reason: str | None, as_json: bool) -> None:
    """Let no further step of a process begin. One that runs ends and is recorded."""
    with opened_context(load_tools) as context:
        pause_process(context, operating_system_user(), process_id, reason)
        tell_status(context, process_id, "Paused", as_json)


@click.command
@process_argument
@reason_option
@json_option
@click.pass_obj
def unpause(load_tools: LoadTools, process_id: UUID, reason: str | None, as_json: bool) -> None:
    """Let a paused process go on."""
    with opened_context(load_tools) as context:
        unpause_process(context, operating_system_user(), process_id, reason)
        tell_status(context, process_id, "Unpaused", as_json)


@click.command
@process_argument
@click.option("--reason", required=True, help="Why; it is kept with the step and in the audit.")
@json_option
@click.pass_obj
def skip(load_tools: LoadTools, process_id: UUID, reason: str, as_json: bool) -> None:
    """Go past the step that failed, or that waits to be tried again."""
    with opened_context(load_tools) as context:
        skip_step(context, operating_system_user(), process_id, reason)
        tell_status(context, process_id, "Skipped a step of", as_json)


@click.command
@process_argument
@step_option
@reason_option
@watch_option
@json_option
@click.pass_context
def rerun(ctx: click.Context, process_id: UUID, step_key: str, reason: str | None, watch: bool, as_json: bool) -> None:
    """Run a process again from a step that it has come to before, with the state as it was before that step.

    What its steps did outside, or to subscriptions, stays done.
    """
    with opened_context(ctx.obj) as context:
        rerun_process(context, operating_system_user(), process_id, step_key, reason)
        if watch:
            ctx.exit(watch_process(context, process_id, as_json))
        tell_status(context, process_id, f"Runs again from {step_key}:", as_json)


@click.command
@process_argument
@step_option
@reason_option
@json_option
@click.pass_obj
def migrate(load_tools: LoadTools, process_id: UUID, step_key: str, reason: str | None, as_json: bool) -> None:
    """Move a process to the steps that are deployed now, at the one that is named. Its state stays as it is."""
    with opened_context(load_tools) as context:
        migrate_process(context, operating_system_user(), process_id, step_key, reason)
        tell_status(context, process_id, f"Moved to {step_key}:", as_json)


def tell_status(context: Context, process_id: UUID, did: str, as_json: bool) -> None:
    """Say what was done; as JSON, what the process is in now."""
    if as_json:
        process = process_detail(context, process_id).process
        print_json({"process_id": process_id, "last_status": process.last_status, "paused": process.paused})
    else:
        click.echo(f"{did} {process_id}")
