"""A PostgreSQL for a test run, and databases in it: a template for each catalog, a copy for each test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from orchestrator.embedded.machine import Addresses, embedded_machine
from orchestrator.errors import SettingsError
from orchestrator.settings import Settings, whole_environment
from orchestrator.storage.database import libpq_url
from orchestrator.storage.migrating import Migrations

_NOT_STARTED = "not started"
_MEMORY = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of our own in it
_ENOUGH_MEMORY = 3_000_000_000


@dataclass(frozen=True)
class DatabaseServer:
    """A PostgreSQL in which databases can be made and dropped."""

    url: str

    def url_of(self, name: str) -> str:
        """The URL of one of its databases."""
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def create(self, name: str, template: str | None = None) -> str:
        """Make a database, empty or as a copy of a template that nobody uses, and return its URL."""
        statement = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            statement += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(statement)
        return self.url_of(name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is still connected to it."""
        self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(libpq_url(self.url), autocommit=True) as connection:
            connection.execute(statement)


class BenchServer:
    """The server of a test run, with a migrated template for each catalog that is tested."""

    def __init__(self, server: DatabaseServer) -> None:
        self.server = server
        self._templates: dict[str, str] = {}

    def template(self, packages: str = "") -> str:
        """The name of a database with the schema and the data revisions of these packages."""
        if packages not in self._templates:
            name = f"test_template_{uuid4().hex[:12]}"
            url = self.server.create(name)
            try:
                Migrations(url, Settings(catalog=packages).catalog_packages()).upgrade()
            except BaseException:
                self.server.drop(name)
                raise
            self._templates[packages] = name
        return self._templates[packages]

    @contextmanager
    def database(self, template: str | None = None) -> Iterator[str]:
        """The URL of a new database, empty or as a copy of a template; dropped at the end."""
        name = f"test_{uuid4().hex[:16]}"
        url = self.server.create(name, template)
        try:
            yield url
        finally:
            self.server.drop(name)

    def close(self) -> None:
        """Drop the templates."""
        while self._templates:
            self.server.drop(self._templates.popitem()[1])


@contextmanager
def bench_server() -> Iterator[BenchServer]:
    """A server of this run's own, or the one that ORCHESTRATOR_TEST_DATABASE_URL names.

    Raises:
        SettingsError: there is none: the packages are not installed, or the server does not answer.
    """
    with ExitStack() as stack:
        url = whole_environment().get("ORCHESTRATOR_TEST_DATABASE_URL")
        if url is None:
            url = stack.enter_context(embedded_servers(broker_url=_NOT_STARTED)).database_url
            with psycopg.connect(url, autocommit=True) as connection:
                # These databases live for seconds: nothing has to reach the disk.
                connection.execute("ALTER SYSTEM SET fsync = off")
                connection.execute("ALTER SYSTEM SET full_page_writes = off")
                connection.execute("SELECT pg_reload_conf()")
        else:
            try:
                psycopg.connect(libpq_url(url), connect_timeout=5).close()
            except psycopg.OperationalError as error:
                raise SettingsError(f"ORCHESTRATOR_TEST_DATABASE_URL: {error}") from error
        server = BenchServer(DatabaseServer(url))
        try:
            yield server
        finally:
            server.close()


@contextmanager
def embedded_servers(**given: str) -> Iterator[Addresses]:
    """PostgreSQL and Valkey of this run's own; what is given is not started."""
    # A database is some three hundred files: in memory, where there is room, it is cloned ten times faster.
    in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-tests-", dir=_MEMORY if in_memory else None))
    try:
        with embedded_machine(folder, **given) as machine:
            yield machine.addresses
    finally:
        shutil.rmtree(folder, ignore_errors=True)
