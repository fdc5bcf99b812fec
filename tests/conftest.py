"""Real servers for the tests: one PostgreSQL and one Valkey a run, a database of its own for each test.

The servers come from the wheels, unless ORCHESTRATOR_TEST_DATABASE_URL (a superuser's, any database of the server) or
ORCHESTRATOR_TEST_BROKER_URL (its databases 1 to 15 are emptied) name others. Where one cannot be had, the tests that
need it are skipped at home and fail when CI=true.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NoReturn
from uuid import uuid4

import pytest
import redis
from sqlalchemy import make_url

from orchestrator.errors import SettingsError
from orchestrator.storage.database import Database, build_engine
from orchestrator.testing.servers import BenchServer, DatabaseServer, bench_server, embedded_servers

pytest_plugins = ["pytester", "tests.whole_runs"]

# They take minutes, and are begun first: of several processes that run tests, none ends long after the others.
LONG_MODULES = [
    "end_to_end/test_broker_away.py",
    "end_to_end/test_fleet.py",
    "end_to_end/test_rabbitmq.py",
    "integration/test_two_clocks.py",
    "integration/test_rabbitmq.py",
    "end_to_end/test_tutorial.py",
]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    long = [Path(__file__).parent / module for module in LONG_MODULES]
    items.sort(key=lambda item: long.index(item.path) if item.path in long else len(long))


def _without(server: str, reason: Exception) -> NoReturn:
    message = f"no {server} for the tests: {reason}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(scope="session")
def orchestrator_server() -> Iterator[BenchServer]:
    """The PostgreSQL of this run, for the workbench and all other tests."""
    with ExitStack() as stack:
        try:
            server = stack.enter_context(bench_server())
        except SettingsError as error:
            _without("PostgreSQL", error)
        yield server


@pytest.fixture(scope="session")
def database_server(orchestrator_server: BenchServer) -> DatabaseServer:
    """The PostgreSQL of this run."""
    return orchestrator_server.server


@pytest.fixture(scope="session")
def template_database(orchestrator_server: BenchServer) -> str:
    """The name of a migrated database (schema only) that tests get copies of."""
    return orchestrator_server.template()


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
                url = stack.enter_context(embedded_servers(database_url="not started")).broker_url
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
