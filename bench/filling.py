"""How a database is filled with many rows in little time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, LiteralString

import psycopg

# Indexes that no constraint stands on: cheaper made anew than kept up row by row.
_INDEXES: Final[LiteralString] = """
SELECT i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) FROM pg_index i
WHERE i.indrelid = ANY(%s::regclass[]) AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
"""


@contextmanager
def filling(url: str, tables: Sequence[str]) -> Iterator[psycopg.Connection[Any]]:
    """One transaction for what is inserted into these tables, which have no other indexes meanwhile than those of
    constraints, and are vacuumed and analyzed afterwards.

    Args:
        url: of a migrated database, as a superuser; libpq's spelling.
        tables: all that get rows.
    """
    with psycopg.connect(url) as connection:
        # No foreign key is looked up for each row: the statements take what they refer to from its table.
        connection.execute("SET LOCAL session_replication_role = replica")
        connection.execute("SET LOCAL synchronous_commit = off")
        connection.execute("SET LOCAL maintenance_work_mem = '512MB'")
        connection.execute("SET LOCAL work_mem = '256MB'")
        indexes = connection.execute(_INDEXES, [list(tables)]).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}".encode())
        yield connection
        for _, definition in indexes:
            connection.execute(definition.encode())
    with psycopg.connect(url, autocommit=True) as connection:
        for table in tables:
            connection.execute(f"VACUUM (ANALYZE) {table}")
