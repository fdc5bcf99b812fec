"""What PostgreSQL itself says about a schema, for comparing two of them."""

from __future__ import annotations

from typing import Any

import psycopg

from orchestrator.storage.database import libpq_url

_QUERIES = {
    "table": """
        SELECT c.relname, concat_ws(' ', c.relkind, c.relpersistence, c.reloptions::text)
        FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind NOT IN ('i', 'I')
    """,
    "column": """
        SELECT c.relname || '.' || a.attname,
               concat_ws(' ', format_type(a.atttypid, a.atttypmod), CASE WHEN a.attnotnull THEN 'NOT NULL' END,
                         'IDENTITY ' || nullif(a.attidentity::text, ''), 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid))
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
    """,
    "constraint": """
        SELECT c.relname || '.' || n.conname, pg_get_constraintdef(n.oid)
        FROM pg_constraint n JOIN pg_class c ON c.oid = n.conrelid WHERE c.relnamespace = 'public'::regnamespace
    """,
    "index": "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'",
    "function": """
        SELECT p.proname, pg_get_functiondef(p.oid) FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace
    """,
    "trigger": """
        SELECT c.relname || '.' || t.tgname, pg_get_triggerdef(t.oid)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE c.relnamespace = 'public'::regnamespace AND NOT t.tgisinternal
    """,
    "type": """
        SELECT t.typname, t.typtype::text FROM pg_type t
        WHERE t.typnamespace = 'public'::regnamespace AND t.typtype IN ('e', 'd', 'r')
    """,
    "extension": "SELECT extname, extversion FROM pg_extension",
}


def describe_schema(database_url: str) -> dict[tuple[str, str], Any]:
    """Return the definition of everything, by kind and name, as PostgreSQL would write it; alembic's table left out."""
    with psycopg.connect(libpq_url(database_url)) as connection:
        return {
            (kind, name): definition
            for kind, query in _QUERIES.items()
            for name, definition in connection.execute(query.encode()).fetchall()
            if not name.startswith("alembic_version")
        }
