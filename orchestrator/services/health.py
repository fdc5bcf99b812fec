"""Whether this server can do its work: the database answers, has the tables of this release, and the broker answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orchestrator.errors import OrchestratorError
from orchestrator.services.context import Context
from orchestrator.storage.migrating import Migrations, lacks


@dataclass(frozen=True)
class Check:
    """One thing that has to work, and what is wrong with it when it does not."""

    name: str
    ok: bool
    detail: str


@dataclass(frozen=True)
class Readiness:
    """All checks; ready when every one is well."""

    checks: tuple[Check, ...]

    @property
    def ready(self) -> bool:
        """Whether requests can be served."""
        return all(check.ok for check in self.checks)


def database_health(context: Context) -> Readiness:
    """Ask the database alone. Raises nothing."""
    return Readiness((_check("database", lambda: _ask_database(context)),))


def readiness(context: Context) -> Readiness:
    """Ask the database and the broker, and compare the migrations. Raises nothing: what fails is in the answer."""
    return Readiness(
        (
            _check("database", lambda: _ask_database(context)),
            _check("migrations", lambda: _compare_migrations(context)),
            _check("broker", lambda: _ask_broker(context)),
        )
    )


def _check(name: str, ask: Callable[[], str]) -> Check:
    try:
        return Check(name, True, ask())
    except DBAPIError as error:
        return Check(name, False, f"The database does not answer ({type(error.orig).__name__}).")
    except SQLAlchemyError as error:
        return Check(name, False, f"The database does not answer ({type(error).__name__}).")
    except (OrchestratorError, OSError) as error:
        return Check(name, False, str(error))


def _ask_database(context: Context) -> str:
    with context.database.reading() as session:
        session.execute(text("SELECT 1"))
    return "The database answers."


def _compare_migrations(context: Context) -> str:
    # No URL is needed: the comparison goes through the connection that it is given.
    migrations = Migrations("", context.settings.catalog_packages())
    with context.database.reading() as session:
        connection: Connection = session.connection()
        missing = migrations.pending(connection)
    if missing:
        raise OrchestratorError(lacks(missing))
    return "The database has all migrations."


def _ask_broker(context: Context) -> str:
    if context.broker_ping is None:
        raise OrchestratorError("No broker is set up for this server.")
    context.broker_ping()
    return "The broker answers."
