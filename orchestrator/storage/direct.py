"""Statements that go to the driver itself, over the connection of a session: SQLAlchemy would take longer than they."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, LiteralString

import psycopg
from psycopg.rows import tuple_row
from sqlalchemy import PoolProxiedConnection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

_CURSOR: Final = "cursor"


def first_row(session: Session, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
    """Run a statement in the transaction of a session, after what the session has to write; its first row, or None.

    Args:
        session: it begins its transaction if it has none.
        statement: with `%(name)s` for its values.
        values: by name.

    Raises:
        DBAPIError: as from the session.
    """
    session.flush()
    connection = session.connection()
    pooled = connection.connection
    try:
        return cursor_of(pooled).execute(statement, values).fetchone()
    except psycopg.Error as error:
        is_lost = connection.dialect.is_disconnect(error, pooled.driver_connection, None)  # type: ignore[arg-type]
        if is_lost:
            connection.invalidate(error)
        raise DBAPIError.instance(
            statement,
            None,
            error,
            psycopg.Error,
            connection_invalidated=is_lost,
            dialect=connection.dialect,
        ) from error


def cursor_of(pooled: PoolProxiedConnection) -> psycopg.Cursor[tuple[Any, ...]]:
    """The cursor that is kept with a connection: a new one copies all adapters of types, which takes as long as a
    statement. Whoever uses it reads all its rows at once.
    """
    connection: Any = pooled.driver_connection
    cursor: psycopg.Cursor[tuple[Any, ...]] | None = pooled.info.get(_CURSOR)
    if cursor is None or cursor.connection is not connection:
        # It says itself what rows are made of: an author's step may have changed that of the connection.
        cursor = pooled.info[_CURSOR] = connection.cursor(row_factory=tuple_row)
    return cursor
