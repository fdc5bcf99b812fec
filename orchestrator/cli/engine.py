"""`orchestrator engine`: hold all processes, and let them go on."""

from __future__ import annotations

import click

from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.tools import LoadTools
from orchestrator.cli.use_cases import opened_context, operating_system_user
from orchestrator.services.engine import EngineStatus, engine_status, set_engine_lock


@click.group
def engine() -> None:
    """Pause all processes, and let them go on."""


@engine.command
@json_option
@click.pass_obj
def status(load_tools: LoadTools, as_json: bool) -> None:
    """Show whether the engine is paused, and how many processes have a step that runs."""
    with opened_context(load_tools) as context:
        _tell(engine_status(context), as_json)


@engine.command
@click.option("--reason", help="Why; those whose starts are refused are told.")
@json_option
@click.pass_obj
def pause(load_tools: LoadTools, reason: str | None, as_json: bool) -> None:
    """Let no step begin anywhere. Those that run end; starts and resumes are refused; timers wait."""
    with opened_context(load_tools) as context:
        _tell(set_engine_lock(context, operating_system_user(), True, reason), as_json)


@engine.command
@click.option("--reason", help="Why; it is kept in the audit.")
@json_option
@click.pass_obj
def resume(load_tools: LoadTools, reason: str | None, as_json: bool) -> None:
    """Let all processes go on."""
    with opened_context(load_tools) as context:
        _tell(set_engine_lock(context, operating_system_user(), False, reason), as_json)


def _tell(found: EngineStatus, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    reason = f" ({found.reason})" if found.reason else ""
    steps = "1 step runs" if found.running_processes == 1 else f"{found.running_processes} steps run"
    click.echo(f"{found.global_status}{reason}: {steps}")
