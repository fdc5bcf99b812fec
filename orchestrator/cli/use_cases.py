"""What commands need to call use cases: a context, and the actor in whose name they call."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from orchestrator.cli.set_up import settings_in_force
from orchestrator.cli.tools import LoadTools
from orchestrator.errors import SettingsError, UnavailableError
from orchestrator.language.vocabulary import Actor
from orchestrator.services.context import Context


@contextmanager
def opened_context(load_tools: LoadTools) -> Iterator[Context]:
    """A context for the use cases of one command.

    Raises:
        SettingsError: servers or catalog are named wrongly, or the database was never migrated.
        UnavailableError: the database does not answer.
    """
    context = load_tools().build_context(settings_in_force(), "orchestrator command line")
    try:
        yield context
    except (OperationalError, InterfaceError) as error:
        raise UnavailableError(f"The database does not answer: {str(error.orig).strip()}") from error
    except DBAPIError as error:
        if not isinstance(error.orig, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
            raise
        raise SettingsError("The database lacks tables of this release: run `orchestrator db upgrade`.") from error
    finally:
        context.database.dispose()


def operating_system_user() -> Actor:
    """Who runs the command, as the operating system knows them."""
    try:
        return Actor(pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:  # a container may run as a user that nobody named
        return Actor(f"user {os.getuid()}")
