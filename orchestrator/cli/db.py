"""`orchestrator db`: the migrations of the database."""

from __future__ import annotations

import click

from orchestrator.cli.output import json_option, print_json
from orchestrator.cli.set_up import settings_in_force
from orchestrator.storage.migrating import Migrations


@click.group
def db() -> None:
    """Migrate the database: the branch `schema` is the orchestrator's own, `data` that of your catalog package."""


@db.command
@click.argument("revision", default="heads")
@json_option
def upgrade(revision: str, as_json: bool) -> None:
    """Apply what is missing up to REVISION (everything, if none is named)."""
    migrations = _migrations()
    before = set(migrations.pending())
    migrations.upgrade(revision)
    left = migrations.pending()
    applied = sorted(before - set(left))
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
@click.option("--branch", default="data", show_default=True, help="`schema` is for the orchestrator's own tables.")
@click.option("--package", help="The catalog package that it is for, when there are several.")
@json_option
def revision(message: str, branch: str, package: str | None, as_json: bool) -> None:
    """Write the file of a new revision."""
    settings = settings_in_force()
    url = settings.database_url.get_secret_value() if settings.database_url else ""
    file = Migrations(url, settings.catalog_packages()).create_revision(message, branch=branch, package=package)
    if as_json:
        print_json({"file": str(file)})
    else:
        click.echo(f"Wrote {file}")


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
