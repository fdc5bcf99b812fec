"""`orchestrator doctor`."""

from __future__ import annotations

from typing import Any, assert_never

import click

from orchestrator.cli.diagnosis import Finding, NotChecked, Well, Wrong, diagnose
from orchestrator.cli.exit_status import ExitStatus
from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.tools import LoadTools


@click.command
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Say what is wrong with this set-up, and how to mend it.

    Every check is made, whatever the others find. Exits 1 when something is wrong.
    """
    load_tools: LoadTools = ctx.obj
    findings = diagnose(load_tools)
    healthy = all(isinstance(found, Well) for found in findings)
    if as_json:
        print_json({"healthy": healthy, "checks": [_as_json(found) for found in findings]})
    else:
        for found in findings:
            click.echo(_as_text(found))
    ctx.exit(ExitStatus.DONE if healthy else ExitStatus.FAILED)


def _as_json(found: Finding) -> dict[str, Any]:
    match found:
        case Well(check, says):
            return {"check": check, "state": "well", "says": says, "mend": None}
        case Wrong(check, says, mend):
            return {"check": check, "state": "wrong", "says": says, "mend": mend}
        case NotChecked(check, because):
            return {"check": check, "state": "not checked", "says": because, "mend": None}
        case _:
            assert_never(found)


def _as_text(found: Finding) -> str:
    match found:
        case Well(check, says):
            return f"{click.style('well', fg='green')}         {check}: {says}"
        case Wrong(check, says, mend):
            return f"{click.style('wrong', fg='red', bold=True)}        {check}: {says}\n             {mend}"
        case NotChecked(check, because):
            return f"{click.style('not checked', fg='yellow')}  {check}: {because}"
        case _:
            assert_never(found)
