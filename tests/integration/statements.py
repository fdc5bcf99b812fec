"""The statements that the pool of the API sends, from the server's own log."""

from __future__ import annotations

import re
from typing import Any, Self

from psycopg import Connection

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
