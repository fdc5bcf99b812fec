"""The command `orchestrator`: a group that loads the module of a command when that is used, to start fast."""

from __future__ import annotations

import pkgutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.exit_status import ExitStatus, status_of
from orchestrator.errors import CodeFailedError, OrchestratorError

if TYPE_CHECKING:  # it knows all use cases, which take a while to load
    from orchestrator.cli.tools import LoadTools

COMMANDS: Final = {
    "up": ("orchestrator.cli.up:up", "Start everything on this machine."),
    "demo": ("orchestrator.cli.demo:demo", "Live through the whole life of a product, and check it."),
    "doctor": ("orchestrator.cli.doctor:doctor", "Say what is wrong with this set-up, and how to mend it."),
    "process": ("orchestrator.cli.process:process", "Start, follow and mend processes."),
    "schedule": ("orchestrator.cli.schedule:schedule", "Start workflows by the clock."),
    "subscription": ("orchestrator.cli.subscription:subscription", "Look at subscriptions."),
    "workflow": ("orchestrator.cli.workflow:workflow", "Look at workflows."),
    "engine": ("orchestrator.cli.engine:engine", "Pause all processes, and let them go on."),
    "catalog": ("orchestrator.cli.catalog:catalog", "Compare the catalog of the code with the database."),
    "db": ("orchestrator.cli.db:db", "Migrate the database."),
    "flower": ("orchestrator.cli.flower:flower", "Run Flower, the dashboard of the workers."),
}

EPILOG: Final = """\b
Exit status:
  0  done; what was watched is completed
  1  refused; what was watched has failed
  2  the command line is wrong
  3  not found
  4  not possible in the present state
  5  the input cannot be used
  6  a server does not answer
  7  the settings or the set-up are wrong
  8  what was watched waits for input or an answer
  130  interrupted
"""


class OrchestratorGroup(click.Group):
    """Commands named as `module:name`; errors of ours become one sentence and an exit status."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click asks for it
        """The names, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Load a command."""
        if cmd_name not in COMMANDS:
            return None
        command = pkgutil.resolve_name(COMMANDS[cmd_name][0])
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The list of commands, without loading them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, told) for name, (_, told) in COMMANDS.items()])

    def invoke(self, ctx: click.Context) -> object:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except OrchestratorError as error:
            if ctx.params.get("debug"):
                raise
            click.echo(f"Error: {error.in_full if isinstance(error, CodeFailedError) else error}", err=True)
            ctx.exit(status_of(error))
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            ctx.exit(ExitStatus.INTERRUPTED)


def build_group(load_tools: LoadTools) -> click.Group:
    """The whole command line; commands that use the catalog or a use case call `load_tools`."""

    @click.group(cls=OrchestratorGroup, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
    @click.version_option(package_name="subscription-orchestrator", message="%(version)s")
    @click.option("--debug", is_flag=True, help="Show where an error comes from.")
    @click.pass_context
    def orchestrator(ctx: click.Context, debug: bool) -> None:  # noqa: ARG001 - the group reads it
        """A durable workflow orchestrator for customer subscriptions.

        Settings are environment variables named ORCHESTRATOR_... . A catalog package in the working folder is found.
        """
        ctx.obj = load_tools
        # As Celery and gunicorn do it: what lies in the working folder can be imported.
        sys.path.insert(0, str(Path.cwd()))

    return orchestrator
