"""Bring a database to the revisions of this release and of the catalog's packages, and say where it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from psycopg.errors import LockNotAvailable
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import ArgumentError, OperationalError, ProgrammingError

from orchestrator.errors import ConflictError, MigrationError, ServerTooOldError, SettingsError, UnavailableError
from orchestrator.storage.database import build_engine
from orchestrator.storage.revision_files import (
    DATA,
    SCHEMA,
    all_revisions,
    configuration,
    missing,
    newest_of,
    write_catalog_revision,
    write_data_revision,
    write_schema_revision,
)
from orchestrator.storage.revision_text import Call
from orchestrator.storage.step_statements import MIGRATION_LOCK

MINIMUM_VERSION = 14


def lacks(revisions: Sequence[str]) -> str:
    """What whoever needs these revisions is told when the database does not have them."""
    return f"The database lacks {', '.join(revisions)}: run `orchestrator db upgrade` first."


class Migrations:
    """The revisions that can be found, and one database to apply them to. Nothing is printed.

    Every method that looks at the database raises SettingsError when the URL or a catalog package is wrong
    (ServerTooOldError when it is the server), UnavailableError when the server does not answer, and MigrationError when
    a revision is asked for, or found in the database, that is not known.
    """

    def __init__(
        self,
        database_url: str,
        catalog_packages: Sequence[str] = (),
        *,
        minimum_version: int = MINIMUM_VERSION,
        lock_wait: float = 120.0,
    ) -> None:
        """Nothing is opened yet.

        Args:
            database_url: PostgreSQL, in any spelling of its URL.
            catalog_packages: names of packages that may have a folder `migrations`.
            minimum_version: major version of PostgreSQL below which nothing is done.
            lock_wait: seconds to wait for another process that migrates this database.
        """
        self._database_url = database_url
        self.packages = tuple(catalog_packages)
        self._minimum_version = minimum_version
        self._lock_wait = lock_wait

    def upgrade(self, revision: str = "heads") -> None:
        """Apply what is missing up to a revision (`heads`: everything; `schema@head`, `data@+1` and ids work too).

        Processes that migrate one database wait for each other. Each revision is a transaction of its own.

        Raises:
            ConflictError: another process has been migrating for too long, or a table was in use for too long.
        """
        with self.connection() as connection:
            if revision == "heads" and not self.pending(connection):
                return
            if revision == "heads":
                # First the whole schema: data revisions call functions of this release, made for its newest tables.
                self._run(command.upgrade, connection, f"{SCHEMA}@head")
            self._run(command.upgrade, connection, revision)

    def downgrade(self, revision: str) -> None:
        """Take revisions back, down to one (`base`: all; `data@base` and `data@-1` work too); raises as upgrade."""
        with self.connection() as connection:
            self._run(command.downgrade, connection, revision)

    def current(self, connection: Connection | None = None) -> list[str]:
        """The newest revisions that the database has; empty when it was never migrated. Looks through `connection`
        when one is given."""
        with self._given_or_new(connection) as using:
            if not inspect(using).has_table("alembic_version"):
                return []
            return sorted(using.execute(text("SELECT version_num FROM alembic_version")).scalars())

    def heads(self) -> list[str]:
        """The newest revisions that can be found."""
        return sorted(self._script().get_heads())

    def pending(self, connection: Connection | None = None) -> list[str]:
        """The revisions that the database lacks, oldest first. Looks through `connection` when one is given.

        A branch that is ahead of this code lacks nothing: a release runs on the schema of the next one too.
        """
        return missing(self._script(), self.current(connection))

    def require_up_to_date(self, connection: Connection | None = None) -> None:
        """Check that database and files know the same revisions.

        Raises:
            ConflictError: one of them is behind.
        """
        current = self.current(connection)
        script = self._script()
        if lacking := missing(script, current):
            raise ConflictError(lacks(lacking))
        known = {revision.revision for revision in all_revisions(script)}
        if unknown := [name for name in current if name not in known]:
            told = (
                f"revision {unknown[0]}, which is"
                if len(unknown) == 1
                else f"revisions {', '.join(unknown)}, which are"
            )
            raise ConflictError(
                f"The database has the {told} not here: is the catalog complete, and not older than the database?"
            )

    def newest(self, package: str | None = None) -> str | None:
        """The newest revision of a catalog package; raises as `create_revision`."""
        return newest_of(self.packages, self._chosen(package))

    def write_revision(
        self,
        message: str,
        up: Sequence[Call],
        down: Sequence[Call],
        previous: str | None,
        package: str | None = None,
    ) -> Path:
        """Write a data revision that makes these calls, and return its path.

        Raises:
            SettingsError: as `create_revision`.
            MigrationError: `previous` is not the newest any more, or the package cannot be written to.
        """
        return write_catalog_revision(self.packages, self._chosen(package), message, up, down, previous)

    def create_revision(self, message: str, *, branch: str = DATA, package: str | None = None) -> Path:
        """Write the file of a new revision and return its path.

        A `data` revision lands in the catalog package (`package` says which when there are several), with an empty
        CATALOG to fill in. A `schema` revision is for those who change the orchestrator itself: it has the differences
        between the models and the migrated database.

        Raises:
            SettingsError: there is no catalog package, or more than one and none was chosen.
            MigrationError: there is no such branch, no message, or the package has two newest revisions.
        """
        if branch == SCHEMA:
            with self.connection() as connection:
                return write_schema_revision(connection, message)
        if branch != DATA:
            raise MigrationError(f"There is no branch {branch!r}; there are {DATA!r} and {SCHEMA!r}.")
        return write_data_revision(self.packages, self._chosen(package), message)

    def _chosen(self, package: str | None) -> str:
        if package is None and len(self.packages) == 1:
            return self.packages[0]
        if package is None or package not in self.packages:
            choice = ", ".join(self.packages) or "none (set ORCHESTRATOR_CATALOG)"
            raise SettingsError(
                f"Name the catalog package that the revision is for with --package; there are: {choice}."
            )
        return package

    def _script(self) -> ScriptDirectory:
        return ScriptDirectory.from_config(configuration(self.packages))

    def _run(self, act: Callable[[Config, str], None], connection: Connection, revision: str) -> None:
        try:
            with self._lock(connection):
                act(configuration(self.packages, connection), revision)
        except CommandError as error:
            raise MigrationError(f"{error}. Is the catalog complete, and not older than the database?") from error
        except OperationalError as error:
            if not isinstance(error.orig, LockNotAvailable):
                raise
            raise ConflictError(
                "A table that has to change was in use for too long; nothing of this revision has happened, try again."
            ) from error

    @contextmanager
    def _lock(self, connection: Connection) -> Iterator[None]:
        # Polled: whoever waits inside a statement holds a snapshot, which CREATE INDEX CONCURRENTLY would wait for.
        patience = time.monotonic() + self._lock_wait
        while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), {"key": MIGRATION_LOCK}).scalar_one():
            connection.rollback()
            if time.monotonic() > patience:
                raise ConflictError(f"Another process has been migrating this database for {self._lock_wait:.0f} s.")
            time.sleep(0.1)
        connection.commit()
        try:
            yield
        finally:
            connection.rollback()
            connection.execute(text("SELECT pg_advisory_unlock(:key)"), {"key": MIGRATION_LOCK})
            connection.commit()

    def _given_or_new(self, connection: Connection | None) -> AbstractContextManager[Connection]:
        return nullcontext(connection) if connection is not None else self.connection()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection to the database.

        Raises:
            SettingsError: the URL cannot be used.
            UnavailableError: the server does not answer.
            ServerTooOldError: it is one of an older version than is needed.
        """
        try:
            engine = build_engine(self._database_url, application_name="orchestrator migrations", pool_size=1)
        except (ArgumentError, ValueError) as error:
            raise SettingsError(
                "The database URL cannot be read; it looks like postgresql://user:password@host:5432/name."
            ) from error
        try:
            try:
                connection = engine.connect()
            except OperationalError as error:
                raise UnavailableError(f"PostgreSQL does not answer: {str(error.orig).strip()}") from error
            except ProgrammingError as error:
                raise SettingsError(f"The database URL cannot be used: {str(error.orig).strip()}") from error
            with connection:
                version = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one()) // 10_000
                connection.rollback()
                if version < self._minimum_version:
                    raise ServerTooOldError(
                        f"PostgreSQL {version} is too old: version {self._minimum_version} or newer is needed."
                    )
                yield connection
        finally:
            engine.dispose()
