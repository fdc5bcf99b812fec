"""The pool of the API: statements that are a transaction of their own, and connections that were lost."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from orchestrator.bootstrap.context import build_context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database
from tests.integration.statements import StatementsSeen

_PID = text("SELECT pg_backend_pid()")
_INSERT = text("INSERT INTO audit (actor, action, object_type, object_id) VALUES (:actor, 'x', 'y', 'z') RETURNING 1")


def pid(database: Database) -> int:
    return int(database.alone(_PID, {})[0][0])


def end(database_url: str, backend: int) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [backend])


def audited(database: Database) -> list[Any]:
    with database.reading() as session:
        return list(session.execute(text("SELECT actor FROM audit ORDER BY audit_id")).scalars())


def test_a_statement_alone_is_committed_and_a_session_after_it_is_a_transaction(database: Database) -> None:
    database.alone(_INSERT, {"actor": "alone"})
    with database.transaction("somebody") as session:
        session.execute(_INSERT, {"actor": "rolled back"})
        session.rollback()
    assert audited(database) == ["alone"]


def test_a_statement_alone_that_fails_is_told_as_one_of_a_session(database: Database) -> None:
    with pytest.raises(IntegrityError) as raised:
        database.alone(_INSERT, {"actor": None})
    assert "null value" in str(raised.value)
    before = pid(database)
    database.alone(_INSERT, {"actor": "next"})
    assert (audited(database), pid(database)) == (["next"], before)


def test_a_connection_that_the_server_closed_is_replaced_before_its_use(database: Database, database_url: str) -> None:
    for use in (pid, audited, pid):
        lost = pid(database)
        end(database_url, lost)
        use(database)
        assert pid(database) != lost


def test_a_connection_that_is_lost_in_a_statement_is_an_error_and_used_no_more(
    database: Database, database_url: str
) -> None:
    lost = pid(database)
    with pytest.raises(OperationalError):
        database.alone(text("SELECT pg_terminate_backend(pg_backend_pid(), 5000)"), {})
    assert pid(database) != lost


def test_only_a_connection_that_was_idle_is_asked_for_a_sign_of_life(database: Database) -> None:
    with StatementsSeen(database) as seen:
        database.alone(_PID, {})
        time.sleep(1.1)
        database.alone(_PID, {})
    assert [one.partition(" ")[0] for one in seen.statements] == ["SELECT", ";", "SELECT"], seen.statements


def prepared(database: Database) -> int:
    return int(database.alone(text("SELECT count(*) FROM pg_prepared_statements"), {})[0][0])


def test_what_is_read_often_stays_prepared(database: Database) -> None:
    for _ in range(10):
        audited(database)
    before = prepared(database)
    assert before > 0
    for _ in range(10):
        audited(database)
    assert prepared(database) == before


def test_nothing_is_prepared_for_a_pooler_that_keeps_nothing(database_url: str) -> None:
    settings = Settings(database_url=database_url, broker_url="redis://127.0.0.1:9/0", prepared_statements=False)
    database = build_context(settings, "tests").database
    for _ in range(10):
        audited(database)
    assert prepared(database) == 0
    database.dispose()


def test_what_authors_set_while_they_look_around_ends_with_it(database: Database) -> None:
    setting = text("SELECT current_setting('work_mem')")
    [usual] = database.alone(setting, {})
    with database.reading(with_authors=True) as session:
        session.execute(text("SET work_mem = '77MB'"))
    assert database.alone(setting, {}) == [usual]


@pytest.mark.parametrize("with_authors", [False, True])
def test_a_unit_that_reads_writes_nothing(database: Database, with_authors: bool) -> None:
    with (
        pytest.raises(DBAPIError, match="read-only transaction"),
        database.reading(with_authors=with_authors) as session,
    ):
        session.execute(_INSERT, {"actor": "reader"})
    assert audited(database) == []
