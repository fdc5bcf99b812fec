"""Time that passes at once: whatever is written in the database moves into the past, and the real clock looks at it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql

from orchestrator.services.context import Context
from orchestrator.services.due_schedules import read_agenda, run_due, run_unblocked
from orchestrator.storage.database import libpq_url
from orchestrator.testing.dispatcher import Dispatcher

# Every column that holds moments, also those of tables that authors made.
_COLUMNS: Final[LiteralString] = """
SELECT c.table_schema, c.table_name, array_agg(c.column_name::text ORDER BY c.ordinal_position)
FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
WHERE c.data_type = 'timestamp with time zone' AND c.is_generated = 'NEVER' AND t.table_type = 'BASE TABLE'
  AND c.table_schema NOT IN ('pg_catalog', 'information_schema')
GROUP BY c.table_schema, c.table_name
"""

# What comes due next of all that has not come due yet.
_NEXT_DUE: Final[LiteralString] = """
SELECT min(due) - clock_timestamp() FROM (
    SELECT unnest(ARRAY[due_at, expires_at]) AS due FROM processes WHERE NOT paused
    UNION ALL SELECT run_at FROM schedules WHERE NOT paused
) AS all_due WHERE due > clock_timestamp()
"""
# Some moments stand for "never": they are no part of the past that moves.
_NEVER: Final = "1970-01-01 00:00:00+00"
_LEAST = timedelta(milliseconds=1)
_FAR = timedelta(days=365_000)
_MOST_AT_ONCE = 1_000
_NOT_MISSED = timedelta(minutes=1)


class BenchClock:
    """Moves the past away from now, which is the same as moving now forward."""

    def __init__(self, database_url: str, context: Context, dispatcher: Dispatcher) -> None:
        self._url = libpq_url(database_url)
        self._context = context
        self._dispatcher = dispatcher
        self._opened: psycopg.Connection[Any] | None = None

    def pass_time(self, duration: timedelta) -> None:
        """Let so much time pass. It stops at each moment at which something comes due, so that what that begins may
        come due within the rest."""
        left = duration
        while left > timedelta():
            hop = min(left, self._until_next_due() or left)
            self._move(hop)
            left -= hop
            self._look()

    def to_next_due(self) -> timedelta | None:
        """Let the time pass until something comes due; how long that was, None when nothing is due to come."""
        hop = self._until_next_due()
        if hop is not None:
            self._move(hop)
            self._look()
        return hop

    def close(self) -> None:
        """Give up the connection."""
        if self._opened is not None:
            self._opened.close()

    @property
    def _connection(self) -> psycopg.Connection[Any]:
        if self._opened is None:
            self._opened = psycopg.connect(self._url, autocommit=True, application_name="workbench clock")
        return self._opened

    def _look(self) -> None:
        """What the clock does once a second."""
        self._dispatcher.sweep()
        agenda = read_agenda(self._context, _MOST_AT_ONCE)
        for schedule_id in agenda.unblocked:
            run_unblocked(self._context, schedule_id)
        for schedule_id in agenda.due:
            run_due(self._context, schedule_id, agenda.moment.now - _NOT_MISSED)
        self._dispatcher.run()

    def _until_next_due(self) -> timedelta | None:
        row = self._connection.execute(_NEXT_DUE).fetchone()
        left: timedelta | None = None if row is None else row[0]
        return None if left is None else max(left, _LEAST)

    def _move(self, duration: timedelta) -> None:
        with self._connection.transaction():
            for schema, table, columns in self._connection.execute(_COLUMNS).fetchall():
                self._move_table(_shift(schema, table, columns), duration)

    def _move_table(self, statement: sql.Composed, duration: timedelta) -> None:
        try:
            with self._connection.transaction():
                self._connection.execute(statement, {"by": duration, "never": _NEVER})
        except psycopg.errors.UniqueViolation:
            # On its way a moment came to where another still was: by way of a place where none is.
            for by in (_FAR, duration - _FAR):
                self._connection.execute(statement, {"by": by, "never": _NEVER})


def _shift(schema: str, table: str, columns: list[str]) -> sql.Composed:
    changes: list[sql.Composed] = []
    for column in map(sql.Identifier, columns):
        moved = sql.SQL("{0} = CASE WHEN {0} = %(never)s THEN {0} ELSE {0} - %(by)s END").format(column)
        changes.append(moved)
    return sql.SQL("UPDATE {} SET {}").format(sql.Identifier(schema, table), sql.SQL(", ").join(changes))


def duration_of(time: timedelta | None, units: dict[str, float]) -> timedelta:
    """A duration that was given as one, or in units.

    Raises:
        ValueError: time does not go backwards.
    """
    duration = (time or timedelta()) + timedelta(**units)
    if duration < timedelta():
        raise ValueError(f"time does not go backwards: {duration}")
    return duration
