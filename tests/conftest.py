"""Real servers for the tests: one PostgreSQL and one Valkey a run, a database of its own for each test.

The servers come from the wheels, unless ORCHESTRATOR_TEST_DATABASE_URL (a superuser's, any database of the server) or
ORCHESTRATOR_TEST_BROKER_URL (its databases 1 to 15 are emptied) name others. Where one cannot be had, the tests that
need it are skipped at home and fail when CI=true.
"""

from __future__ import annotations

import itertools
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import psycopg
import pytest
import redis
from psycopg import sql
from sqlalchemy import make_url

from orchestrator.embedded.machine import Addresses, embedded_machine
from orchestrator.errors import SettingsError
from orchestrator.storage.database import Database, build_engine, libpq_url
from orchestrator.storage.migrating import Migrations

_NOT_STARTED = "not started"
_MEMORY = Path("/dev/shm")
_ENOUGH_MEMORY = 3_000_000_000


def _without(server: str, reason: Exception) -> NoReturn:
    message = f"no {server} for the tests: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@contextmanager
def _embedded(**given: str) -> Iterator[Addresses]:
    # A database is some three hundred files: in memory, where there is room, it is cloned ten times faster.
    in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ENOUGH_MEMORY
    folder = Path(tempfile.mkdtemp(prefix="orchestrator-tests-", dir=_MEMORY if in_memory else None))
    try:
        with embedded_machine(folder, **given) as machine:
            yield machine.addresses
    finally:
        shutil.rmtree(folder, ignore_errors=True)


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


@pytest.fixture(scope="session")
def database_server() -> Iterator[DatabaseServer]:
    """The PostgreSQL of this run."""
    with ExitStack() as stack:
        try:
            url = os.environ.get("ORCHESTRATOR_TEST_DATABASE_URL")
            if url is None:
                url = stack.enter_context(_embedded(broker_url=_NOT_STARTED)).database_url
                with psycopg.connect(url, autocommit=True) as connection:
                    # These databases live for seconds: nothing has to reach the disk.
                    connection.execute("ALTER SYSTEM SET fsync = off")
                    connection.execute("ALTER SYSTEM SET full_page_writes = off")
                    connection.execute("SELECT pg_reload_conf()")
            else:
                psycopg.connect(libpq_url(url), connect_timeout=5).close()
        except (SettingsError, psycopg.OperationalError) as error:
            _without("PostgreSQL", error)
        yield DatabaseServer(url)


@pytest.fixture(scope="session")
def template_database(database_server: DatabaseServer) -> Iterator[str]:
    """The name of a migrated database (schema only) that tests get copies of."""
    name = f"test_template_{uuid4().hex[:12]}"
    Migrations(database_server.create(name)).upgrade()
    yield name
    database_server.drop(name)


@pytest.fixture
def new_database(database_server: DatabaseServer) -> Iterator[Callable[..., str]]:
    """Makes databases that are dropped after the test: `new_database()` an empty one, or `template=` its name."""
    made: list[str] = []

    def create(template: str | None = None) -> str:
        name = f"test_{uuid4().hex[:16]}"
        url = database_server.create(name, template)
        made.append(name)
        return url

    yield create
    for name in made:
        database_server.drop(name)


@pytest.fixture
def empty_database_url(new_database: Callable[..., str]) -> str:
    """A database without any table."""
    return new_database()


@pytest.fixture
def database_url(new_database: Callable[..., str], template_database: str) -> str:
    """A migrated database of this test's own."""
    return new_database(template=template_database)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """Units of work on `database_url`."""
    database = Database(build_engine(database_url, application_name="tests"))
    yield database
    database.dispose()


@pytest.fixture(scope="session")
def broker_server_url() -> Iterator[str]:
    """The Valkey of this run."""
    with ExitStack() as stack:
        try:
            url = os.environ.get("ORCHESTRATOR_TEST_BROKER_URL")
            if url is None:
                url = stack.enter_context(_embedded(database_url=_NOT_STARTED)).broker_url
            _broker_client(url, 0).ping()
        except (SettingsError, redis.ConnectionError) as error:
            _without("Valkey", error)
        yield url


@pytest.fixture(scope="session")
def broker_numbers() -> Iterator[int]:
    """Numbers of the broker's databases, in turn."""
    return itertools.cycle(range(1, 16))


@pytest.fixture
def broker_url(broker_server_url: str, broker_numbers: Iterator[int]) -> str:
    """An empty database of the broker, as Celery's `broker_url`."""
    number = next(broker_numbers)
    with _broker_client(broker_server_url, number) as client:
        client.flushdb()
    url = make_url(broker_server_url)
    if url.drivername == "redis+socket":
        return f"{broker_server_url}?virtual_host={number}"
    return url.set(database=str(number)).render_as_string(hide_password=False)


def _broker_client(url: str, number: int) -> redis.Redis:
    if url.startswith("redis+socket://"):
        return redis.Redis.from_url("unix" + url.removeprefix("redis+socket"), db=number)
    return redis.Redis.from_url(url, db=number)
