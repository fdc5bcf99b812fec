"""The schema that the migrations make: up, down and up again, the same as the models, made once by many."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Callable

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from orchestrator.errors import ConflictError, MigrationError, ServerTooOldError, SettingsError, UnavailableError
from orchestrator.storage.database import libpq_url, sqlalchemy_url
from orchestrator.storage.migrating import Migrations
from orchestrator.storage.step_statements import MIGRATION_LOCK
from orchestrator.storage.tables import Base
from tests.integration.schema_description import describe_schema


def test_up_down_and_up_again_leave_the_same_schema(empty_database_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    migrations = Migrations(empty_database_url)
    empty = describe_schema(empty_database_url)
    assert migrations.current() == []

    migrations.upgrade()
    first = describe_schema(empty_database_url)
    assert ("table", "processes") in first
    assert migrations.current() == migrations.heads()

    migrations.downgrade("base")
    assert describe_schema(empty_database_url) == empty
    assert migrations.current() == []
    assert migrations.pending()[-1:] == migrations.heads()

    migrations.upgrade()
    assert describe_schema(empty_database_url) == first
    with psycopg.connect(libpq_url(empty_database_url)) as connection:
        assert connection.execute("SELECT id, paused FROM engine_settings").fetchall() == [(1, False)]
    assert capfd.readouterr() == ("", "")


def test_the_migrated_schema_is_that_of_the_models(database_url: str, empty_database_url: str) -> None:
    engine = create_engine(sqlalchemy_url(empty_database_url))
    Base.metadata.create_all(engine)
    engine.dispose()

    migrated = describe_schema(database_url)
    functions = {key for key in migrated if key[0] == "function"}
    assert functions == {("function", "engine_open")}, "the models do not tell of functions"
    assert {key: said for key, said in migrated.items() if key not in functions} == describe_schema(empty_database_url)


def test_alembic_finds_no_difference_between_models_and_migrated_schema(database_url: str) -> None:
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE processes ALTER COLUMN state DROP DEFAULT",
        "ALTER TABLE processes ALTER COLUMN assignee SET DEFAULT 'somebody'",
        "ALTER TABLE processes ALTER COLUMN created_by DROP NOT NULL",
        "ALTER TABLE processes ALTER COLUMN position TYPE bigint",
        "ALTER TABLE processes ALTER COLUMN seq SET GENERATED ALWAYS",
        "ALTER TABLE processes ADD COLUMN more text",
        "ALTER TABLE processes RESET (fillfactor)",
        "ALTER TABLE processes DROP CONSTRAINT ck_processes_status",
        "ALTER TABLE process_steps DROP CONSTRAINT fk_process_steps_process_seq, ADD CONSTRAINT "
        "fk_process_steps_process_seq FOREIGN KEY (process_seq) REFERENCES processes",
        "DROP INDEX ix_processes_due; CREATE INDEX ix_processes_due ON processes (due_at)",
        "ALTER FUNCTION engine_open() STABLE",
        "CREATE TABLE one_more (id int)",
    ],
)
def test_the_comparison_of_schemas_sees(database_url: str, statement: str) -> None:
    before = describe_schema(database_url)
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute(statement.encode())
    assert describe_schema(database_url) != before


def test_two_processes_that_upgrade_at_once_do_it_once(empty_database_url: str) -> None:
    program = "import sys; from orchestrator.storage.migrating import Migrations; Migrations(sys.argv[1]).upgrade()"
    with psycopg.connect(libpq_url(empty_database_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        command = [sys.executable, "-W", "error", "-c", program, empty_database_url]
        upgrades = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(2)]
        _wait_for(lambda: _count(connection, "application_name = 'orchestrator migrations'") == 2)
        assert connection.execute("SELECT to_regclass('processes')").fetchone() == (None,)
        connection.execute("SELECT pg_advisory_unlock(%s)", [MIGRATION_LOCK])
        said = [upgrade.communicate(timeout=60)[0].decode() for upgrade in upgrades]

    assert [(upgrade.returncode, output) for upgrade, output in zip(upgrades, said, strict=True)] == [(0, ""), (0, "")]
    assert Migrations(empty_database_url).pending() == []


def test_waiting_for_another_migration_ends(empty_database_url: str) -> None:
    with psycopg.connect(libpq_url(empty_database_url), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(%s)", [MIGRATION_LOCK])
        with pytest.raises(ConflictError, match="Another process has been migrating"):
            Migrations(empty_database_url, lock_wait=0.3).upgrade()
    assert Migrations(empty_database_url).current() == []


def test_no_lock_is_left_behind(empty_database_url: str) -> None:
    Migrations(empty_database_url).upgrade()
    with psycopg.connect(libpq_url(empty_database_url)) as connection:
        assert connection.execute("SELECT pg_try_advisory_lock(%s)", [MIGRATION_LOCK]).fetchone() == (True,)


def test_a_server_that_is_too_old_is_refused_by_its_number(empty_database_url: str) -> None:
    with pytest.raises(ServerTooOldError, match=r"^PostgreSQL \d+ is too old: version 99 or newer is needed\.$"):
        Migrations(empty_database_url, minimum_version=99).upgrade()


@pytest.mark.parametrize("url", ["", "nonsense", "postgresql://u:secret@host:port/name"])
def test_a_url_that_cannot_be_read_is_an_error_of_the_settings(url: str) -> None:
    with pytest.raises(SettingsError, match="The database URL cannot be read") as raised:
        Migrations(url).current()
    assert "secret" not in str(raised.value)


def test_a_url_with_an_unknown_option_is_an_error_of_the_settings(empty_database_url: str) -> None:
    with pytest.raises(SettingsError, match=r"The database URL cannot be used: .*speed"):
        Migrations(f"{empty_database_url}{'&' if '?' in empty_database_url else '?'}speed=fast").current()


def test_a_server_that_does_not_answer_is_unavailable() -> None:
    with pytest.raises(UnavailableError, match=r"PostgreSQL does not answer: .*Connection refused") as raised:
        Migrations("postgresql://u:secret@127.0.0.1:1/name").current()
    assert "secret" not in str(raised.value)


def test_a_revision_that_nobody_knows_is_an_error(database_url: str) -> None:
    with pytest.raises(MigrationError, match="schema_9999"):
        Migrations(database_url).upgrade("schema_9999")


@pytest.mark.parametrize("newer", ["schema_9999", "schema_9999, a1b2c3d4e5f6"])
def test_a_database_that_is_ahead_lacks_nothing(database_url: str, newer: str) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute("DELETE FROM alembic_version")
        for name in newer.split(", "):
            connection.execute("INSERT INTO alembic_version VALUES (%s)", [name])
    migrations = Migrations(database_url)

    assert migrations.pending() == []
    migrations.upgrade()
    assert migrations.current() == sorted(newer.split(", "))


def test_engine_open_sees_a_pause_that_was_committed_after_its_statement_began(database_url: str) -> None:
    url = libpq_url(database_url)
    answers: list[bool] = []

    def ask() -> None:
        with psycopg.connect(url) as asking:
            row = asking.execute(
                "WITH l AS MATERIALIZED (SELECT pg_advisory_lock(7)) SELECT CASE WHEN l IS NOT NULL THEN engine_open() "
                "END FROM l"
            ).fetchone()
            answers.append(row is not None and row[0])

    with psycopg.connect(url, autocommit=True) as connection:
        assert connection.execute("SELECT engine_open()").fetchone() == (True,)
        connection.execute("SELECT pg_advisory_lock(7)")
        asker = threading.Thread(target=ask)
        asker.start()
        _wait_for(lambda: _count(connection, "wait_event_type = 'Lock'") == 1)
        connection.execute("UPDATE engine_settings SET paused = true")
        connection.execute("SELECT pg_advisory_unlock(7)")
        asker.join(10)

    assert answers == [False]


def _count(connection: psycopg.Connection, condition: str) -> int:
    query = f"SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {condition}"
    (count,) = connection.execute(query.encode()).fetchone() or (0,)
    return int(count)


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in 30 s"
        time.sleep(0.05)
