"""The statements that are sent: from the server's own log, or with their values as the driver is given them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from psycopg import Connection, Cursor
from sqlalchemy import Engine, event

from orchestrator.storage.database import Database


class StatementsSeen:
    """Sees each statement of the one connection that a single thread takes out of the pool.

    Attributes:
        statements: each as the server logs it, without what names it.
    """

    def __init__(self, database: Database) -> None:
        self.statements: list[str] = []
        self._database = database

    def __enter__(self) -> Self:
        pooled = self._database.engine.raw_connection()
        connection: Any = pooled.driver_connection
        assert isinstance(connection, Connection)
        connection.autocommit = True  # or the settings would end with the transaction
        connection.execute("SET client_min_messages = log")
        connection.execute("SET log_statement = 'all'")
        connection.autocommit = False
        pooled.close()
        connection.add_notice_handler(self._saw)
        self._connection = connection
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.remove_notice_handler(self._saw)

    def _saw(self, notice: Any) -> None:
        self.statements.append(re.sub(r"^(statement|execute [^:]+): ", "", notice.message_primary).strip())


@contextmanager
def given_to_driver(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    """Each statement, with its values, of the units of work that begin in here: of sessions and past them."""
    given: list[tuple[str, Any]] = []

    class Noting(Cursor[Any]):
        def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            given.append((query, params))
            return super().execute(query, params, **options)

    def taken(connection: Any, record: Any, _: Any) -> None:
        connection.cursor_factory = Noting
        record.info.pop("cursor", None)

    def given_back(connection: Any, record: Any) -> None:
        connection.cursor_factory = Cursor
        record.info.pop("cursor", None)

    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given_back)
    try:
        yield given
    finally:
        event.remove(engine, "checkout", taken)
        event.remove(engine, "checkin", given_back)
