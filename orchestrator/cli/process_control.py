"""Commands of `orchestrator process` that mend a process under way."""

from __future__ import annotations

from uuid import UUID

import click

from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.tools import LoadTools
from orchestrator.cli.use_cases import opened_context, operating_system_user
from orchestrator.services.context import Context
from orchestrator.services.pausing import pause_process, unpause_process
from orchestrator.services.process_views import process_detail

process_argument = click.argument("process_id", type=click.UUID)
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


def tell_status(context: Context, process_id: UUID, did: str, as_json: bool) -> None:
    """Say what was done; as JSON, what the process is in now."""
    if as_json:
        process = process_detail(context, process_id).process
        print_json({"process_id": process_id, "last_status": process.last_status, "paused": process.paused})
    else:
        click.echo(f"{did} {process_id}")
