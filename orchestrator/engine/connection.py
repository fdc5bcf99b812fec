"""A worker's one connection: statements of the protocol through psycopg, `db.session` on the very same connection."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, LiteralString
from uuid import uuid4

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row
from psycopg.types.json import set_json_loads
from sqlalchemy import Connection as SqlAlchemyConnection
from sqlalchemy import Engine, StaticPool, create_engine, event

from orchestrator.engine.step_session import StepSession
from orchestrator.errors import CommitInStepError, NoSessionError, OutsideCommitError, SettingsError
from orchestrator.storage.database import dump_json, libpq_url
from orchestrator.storage.step_statements import CLEAR_SESSION, TRY_LOCK, UNLOCK

# No time-outs: a step may take as long as it takes. A client that was killed, or whose machine vanished, is noticed by
# the server within seconds, so that its lock is free.
_SESSION_OPTIONS = (
    "-c idle_in_transaction_session_timeout=0 -c idle_session_timeout=0 -c statement_timeout=0"
    " -c client_connection_check_interval=500ms"
    " -c tcp_keepalives_idle=5 -c tcp_keepalives_interval=2 -c tcp_keepalives_count=3 -c tcp_user_timeout=10000"
)
_LOST = "the connection was lost in the middle of its transaction"
_USABLE = (TransactionStatus.IDLE, TransactionStatus.INTRANS, TransactionStatus.INERROR)


class WorkerConnection:
    """One session of PostgreSQL for one worker child. Advisory locks live and die with it.

    It connects when it is first needed and again after `discard`. Statements of the protocol are prepared at their
    first use. Time-outs of idle transactions and statements are off here: a step may take as long as it takes.
    """

    def __init__(self, url: str, worker: str) -> None:
        self.worker = worker
        self.name = ""
        self._url = libpq_url(url)
        self._connection: psycopg.Connection[tuple[Any, ...]] | None = None
        # The connection of the open transaction, and whether anything was done in it, which is when it begins.
        self._bound: psycopg.Connection[tuple[Any, ...]] | None = None
        self._begun = False
        self._cursor: psycopg.Cursor[tuple[Any, ...]] | None = None
        self._engine: Engine | None = None
        self._session: StepSession | None = None
        self._authors_were_here = False

    def open(self) -> psycopg.Connection[tuple[Any, ...]]:
        """The connection, made if there is none that works.

        Raises:
            psycopg.OperationalError: the server does not answer.
        """
        connection = self._connection
        if connection is not None and not connection.closed and connection.info.transaction_status in _USABLE:
            return connection
        self.discard()
        self.name = f"orchestrator worker {uuid4().hex}"
        connection = psycopg.connect(
            self._url,
            autocommit=True,
            prepare_threshold=1,
            application_name=self.name,
            connect_timeout=5,
            keepalives_idle=5,
            keepalives_interval=2,
            keepalives_count=3,
            tcp_user_timeout=10_000,
            options=_SESSION_OPTIONS,
        )
        set_json_loads(orjson.loads, connection)
        self._connection = connection
        return connection

    def start_afresh(self) -> None:
        """Let go of all that an earlier step left on this session of PostgreSQL: settings, a role, temporary tables,
        cursors, notifications. Its locks are the claim's affair.
        """
        connection = self._connection
        if self._authors_were_here and connection is not None and not self.lost:
            connection.row_factory = tuple_row
            try:
                connection.execute(CLEAR_SESSION, prepare=False)
            except psycopg.Error:
                self.discard()  # a new session is afresh
        self._authors_were_here = False

    def row(self, statement: LiteralString, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        """Run one statement of the protocol; its first row, or None when it returns none."""
        return self._first_row(self._current(), statement, values)

    def row_alone(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Run one statement that is a transaction of its own, in place of the open one, in which nothing was done yet
        (see `untouched`); its first row, or None when it returns none.

        Raises:
            psycopg.Error: the database refused, or the connection was lost.
        """
        if self._bound is None or self._begun:
            raise AssertionError("a statement alone needs a transaction in which nothing was done")
        if self.lost:
            raise psycopg.OperationalError(_LOST)
        return self._first_row(self._bound, statement, values)

    def _first_row(
        self,
        connection: psycopg.Connection[tuple[Any, ...]],
        statement: LiteralString,
        values: Mapping[str, Any] | None,
    ) -> tuple[Any, ...] | None:
        # One cursor for all: making one costs as much as sending what it executes. It says itself what its rows are
        # made of: the step had the connection in its hands, and may have changed that.
        cursor = self._cursor
        if cursor is None or cursor.connection is not connection:
            cursor = self._cursor = connection.cursor(row_factory=tuple_row)
        cursor.execute(statement, values)
        return cursor.fetchone() if cursor.pgresult is not None and cursor.pgresult.nfields else None

    def affected(self, statement: LiteralString, values: Mapping[str, Any]) -> int:
        """Run one statement of the protocol; how many rows it touched."""
        return self._current().execute(statement, values).rowcount

    @contextmanager
    def transaction(self) -> Iterator[Callable[[], StepSession]]:
        """Everything inside is one transaction, shared with the session; rolled back unless `commit` was called.

        It never goes on over another connection: what was done over the lost one is gone.

        Yields:
            What gives its session, made when it is first asked for. Who has outlived the transaction, a thread of an
            earlier step, gets NoSessionError.
        """
        connection = self.open()
        self._bound, self._begun = connection, False
        ended = False

        def session() -> StepSession:
            if ended:
                raise NoSessionError
            return self._made_session()

        try:
            yield session
        finally:
            ended = True
            self._bound = None
            self._end_transaction(connection)

    def _current(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._bound is None:
            return self.open()
        if self.lost:
            raise psycopg.OperationalError(_LOST)
        if not self._begun:
            self._bound.autocommit = False
            self._begun = True
        elif self._bound.autocommit:
            raise OutsideCommitError
        return self._bound

    def _end_transaction(self, connection: psycopg.Connection[tuple[Any, ...]]) -> None:
        session, self._session = self._session, None
        try:
            if session is not None:
                session.end()
            if self._begun and not connection.closed:
                connection.rollback()
                connection.autocommit = True
        except psycopg.Error:
            self.discard()
        except Exception:
            self.discard()
            raise

    def commit(self) -> None:
        """Commit the transaction of the session and the protocol, which are one."""
        if self._session is not None and self._session.in_transaction():
            self._session.may_commit = True
            self._session.commit()
        else:
            self._current().commit()

    def _made_session(self) -> StepSession:
        if self._session is None:
            self._current()  # its engine keeps this connection, and would not ask for it again
            self._session = StepSession(self._sqlalchemy_engine())
            self._authors_were_here = True
        return self._session

    @property
    def untouched(self) -> bool:
        """Whether nothing was done in the transaction that is open, by the protocol or by the step."""
        return self._bound is not None and not self._begun and self._session is None

    @property
    def is_afresh(self) -> bool:
        """Whether nobody has asked for the session since `start_afresh`, so that nothing can be left on it."""
        return not self._authors_were_here

    @property
    def opened_session(self) -> StepSession | None:
        """The session, if anybody asked for it in this transaction."""
        return self._session

    def _sqlalchemy_engine(self) -> Engine:
        if self._engine is None:
            self._engine = create_engine(
                "postgresql+psycopg://",
                creator=self._current,
                poolclass=StaticPool,
                pool_reset_on_return=None,
                json_serializer=dump_json,
                json_deserializer=orjson.loads,
            )
            event.listen(self._engine, "commit", self._refuse_commit)
        return self._engine

    def _refuse_commit(self, _: SqlAlchemyConnection) -> None:
        # Past the session: db.session.connection().commit(), or the engine's own begin().
        if self._session is None or not self._session.may_commit:
            raise CommitInStepError

    @property
    def lost(self) -> bool:
        """Whether the connection that was open has ended or cannot be used any more."""
        connection = self._connection
        return connection is None or connection.closed or connection.info.transaction_status not in _USABLE

    def discard(self) -> None:
        """Close the connection, whatever state it is in; the next `open` makes a new one."""
        if self._session is not None:
            self._session.expunge_all()
            self._session = None
        connection, self._connection = self._connection, None
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.dispose(close=False)
        if connection is not None:
            connection.close()


def check_session_locks(url: str) -> None:
    """Make sure that a connection is a session: a pooler in transaction mode would hand our locks to others.

    Two connections are needed for that; with one the check would pass through such a pooler.

    Raises:
        SettingsError: locks do not belong to connections here.
        psycopg.OperationalError: the server does not answer.
    """
    with (
        psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=5) as first,
        psycopg.connect(libpq_url(url), autocommit=True, connect_timeout=5) as second,
    ):
        key = {"key": secrets.randbits(40)}
        taken = [connection.execute(TRY_LOCK, key).fetchone() for connection in (first, second)]
        held = first.execute(UNLOCK, key).fetchone()
    if taken != [(True,), (False,)] or held != (True,):
        raise SettingsError(
            "advisory locks do not belong to connections here: ORCHESTRATOR_DATABASE_URL goes through a pooler in "
            "transaction mode; workers need a direct connection, or a pooler in session mode"
        )
