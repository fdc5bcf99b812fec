"""`orchestrator catalog`: does the database know what the code has?"""

from __future__ import annotations

import traceback

import click

from orchestrator.cli.exit_status import ExitStatus
from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.set_up import settings_in_force
from orchestrator.cli.tools import LoadTools, Tools
from orchestrator.errors import OrchestratorError, SettingsError
from orchestrator.language.catalog import Catalog
from orchestrator.services.catalog_check import check_catalog
from orchestrator.settings import Settings
from orchestrator.storage.migrating import Migrations


@click.group
def catalog() -> None:
    """Look at the catalog: products, blocks, resource types and workflows."""


@catalog.command
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Compare the models and workflows of the code with the database; exit status 1 when something differs."""
    settings = settings_in_force()
    load_tools: LoadTools = ctx.obj
    loaded = load_named_catalog(settings, load_tools())
    found = check_catalog(Migrations(settings.require_database_url(), settings.catalog_packages()), loaded)
    if as_json:
        print_json({"differences": found})
    else:
        for one in found:
            click.echo(f"{click.style(one.where, bold=True)}: {one.what}")
            click.echo(f"    {one.mend}")
        if not found:
            click.echo("Code and database know the same catalog.")
    if found:
        ctx.exit(ExitStatus.FAILED)


def load_named_catalog(settings: Settings, tools: Tools) -> Catalog:
    """The catalog of the packages that are named.

    Raises:
        SettingsError: none is named, or one cannot be imported.
    """
    if not settings.catalog_packages():
        raise SettingsError("No catalog package is named: set ORCHESTRATOR_CATALOG.")
    try:
        return tools.load_catalog(settings)
    except OrchestratorError:
        raise
    except Exception as error:  # the author's code may raise anything when it is imported
        raise SettingsError(cannot_be_loaded(error)) from error


def cannot_be_loaded(error: Exception) -> str:
    """What the author's code raised when it was imported, and where, as far as that is not in a library."""
    said = f"The catalog cannot be loaded: {type(error).__name__}: {error}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if "site-packages" not in frame.filename and not frame.filename.startswith("<")
    ]
    if isinstance(error, SyntaxError) or not frames:
        return said
    return f"{said} ({frames[-1].filename}, line {frames[-1].lineno})"
