"""`orchestrator db`: the migrations of the database."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from orchestrator.cli.catalog import load_named_catalog
from orchestrator.cli.catalog_choices import ask_at_terminal, choice_options
from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.set_up import settings_in_force
from orchestrator.cli.tools import LoadTools
from orchestrator.services.catalog_choices import Choices
from orchestrator.services.catalog_revision import write_revision
from orchestrator.storage.migrating import Migrations
from orchestrator.storage.revision_files import DATA


@click.group
def db() -> None:
    """Migrate the database: the branch `schema` is the orchestrator's own, `data` that of your catalog package."""


@db.command
@click.argument("revision", default="heads")
@json_option
def upgrade(revision: str, as_json: bool) -> None:
    """Apply what is missing up to REVISION (everything, if none is named)."""
    migrations = _migrations()
    before = migrations.pending()
    migrations.upgrade(revision)
    left = migrations.pending()
    applied = [name for name in before if name not in left]
    if as_json:
        print_json({"applied": applied, "pending": left})
    else:
        click.echo(f"Applied: {', '.join(applied)}" if applied else "Nothing was missing.")


@db.command
@click.argument("revision")
@json_option
def downgrade(revision: str, as_json: bool) -> None:
    """Take revisions back, down to REVISION (`data@-1`, `data@base`, a revision's name, or `base`: all)."""
    migrations = _migrations()
    migrations.downgrade(revision)
    current = migrations.current()
    if as_json:
        print_json({"current": current})
    else:
        click.echo(f"The database is at {', '.join(current) or 'nothing: it is empty'}.")


@db.command
@click.option("--message", "-m", required=True, help="What the revision does, in a few words.")
@click.option("--branch", default=DATA, show_default=True, help="`schema` is for the orchestrator's own tables.")
@click.option("--package", help="The catalog package that it is for, when there are several.")
@click.option("--autogenerate", is_flag=True, help="Write what makes the database's catalog that of the code.")
@choice_options
@json_option
@click.pass_obj
def revision(
    load_tools: LoadTools,
    /,
    message: str,
    branch: str,
    package: str | None,
    autogenerate: bool,
    as_json: bool,
    **chosen: tuple[str, ...],
) -> None:
    """Write the file of a new revision.

    With --autogenerate it brings what the code has and the database lacks, and takes out what only the database has.
    What was renamed, what may go and what fills in is asked for at a terminal, or said by the options.
    """
    settings = settings_in_force()
    if autogenerate and branch != DATA:
        raise click.UsageError("--autogenerate is for data; a revision of the schema always has the differences.")
    if not autogenerate and any(chosen.values()):
        raise click.UsageError("What was renamed, may go or fills in is said with --autogenerate.")
    file: Path | None
    if autogenerate:
        catalog = load_named_catalog(settings, load_tools())
        ask = ask_at_terminal if sys.stdin.isatty() and not as_json else None
        written = write_revision(_migrations(), catalog, message, Choices(**chosen), package=package, ask=ask)
        for one in written.left:
            click.echo(f"{one.where}: {one.what} {one.mend}", err=True)
        file = written.file
    else:
        url = settings.database_url.get_secret_value() if settings.database_url else ""
        file = Migrations(url, settings.catalog_packages()).create_revision(message, branch=branch, package=package)
    if as_json:
        print_json({"file": None if file is None else str(file)})
    else:
        click.echo(f"Wrote {file}" if file else "Nothing to write: the database has all that the code asks for.")


@db.command
@json_option
def current(as_json: bool) -> None:
    """Show where the database is, and what it lacks."""
    migrations = _migrations()
    found, pending = migrations.current(), migrations.pending()
    if as_json:
        print_json({"current": found, "heads": migrations.heads(), "pending": pending})
        return
    click.echo(f"The database is at {', '.join(found) or 'nothing: it was never migrated'}.")
    if pending:
        click.echo(f"It lacks {', '.join(pending)}: run `orchestrator db upgrade`.")


def _migrations() -> Migrations:
    settings = settings_in_force()
    return Migrations(settings.require_database_url(), settings.catalog_packages())
