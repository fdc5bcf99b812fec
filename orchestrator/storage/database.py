"""The database as the API and the command line use it: an engine with a pool, and units of work on it."""

from __future__ import annotations

import select
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, Final

import orjson
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Engine, TextClause, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError, InvalidatePoolError
from sqlalchemy.orm import Session

from orchestrator.storage.direct import cursor_of
from orchestrator.storage.session import Origin, current_session

# A connection that was in use within so many seconds is asked for a sign of life only when its socket has news.
_SURE_SECONDS: Final = 1.0
_LAST_USE: Final = "last use"


def sqlalchemy_url(url: str) -> str:
    """The URL with the psycopg 3 driver named, whatever way the operator wrote it (`postgres://`, `postgresql://`)."""
    if url.startswith("postgres://"):
        url = "postgresql://" + url.removeprefix("postgres://")
    parsed = make_url(url)
    return parsed.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)


def libpq_url(url: str) -> str:
    """The same URL for psycopg itself, which wants plain `postgresql://`."""
    return make_url(sqlalchemy_url(url)).set(drivername="postgresql").render_as_string(hide_password=False)


def dump_json(value: Any) -> str:
    """JSON text for a jsonb column."""
    return orjson.dumps(value).decode()


def with_json(values: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """The values of a statement, of which those with these names are written as JSON text."""
    return {**values, **{name: dump_json(values[name]) for name in names}}


def build_engine(
    url: str, *, application_name: str, pool_size: int = 5, prepares: bool = True, **options: Any
) -> Engine:
    """An engine for many short transactions; sleeping or vanished servers are noticed, not waited for.

    Args:
        url: `postgresql://...` in any of its spellings.
        application_name: what PostgreSQL shows for these connections.
        pool_size: connections kept; twice as many may be open for a moment.
        prepares: statements that come again and again are prepared, on their connection, and planned once.
        options: more for `create_engine`.
    """
    engine = create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_timeout=10,
        json_serializer=dump_json,
        json_deserializer=orjson.loads,
        connect_args={
            "application_name": application_name,
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 3,
            "keepalives_count": 3,
            # Keepalives say nothing while an answer is due: without this a cut network is noticed after 15 minutes.
            "tcp_user_timeout": 10_000,
            **({} if prepares else {"prepare_threshold": None}),
        },
        **options,
    )
    _ask_for_signs_of_life(engine)
    return engine


def _ask_for_signs_of_life(engine: Engine) -> None:
    """Do what `pool_pre_ping` does, without a round trip for each use: a server that went away closed its sockets."""

    def taken(connection: Any, record: Any, _: Any) -> None:
        last_use = record.info.get(_LAST_USE)
        if last_use is None or (time.monotonic() - last_use < _SURE_SECONDS and not _has_news(connection)):
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error as error:
            raise InvalidatePoolError from error  # all of the pool's older connections are made anew

    def given_back(_: Any, record: Any) -> None:
        record.info[_LAST_USE] = time.monotonic()

    event.listen(engine, "checkout", taken)
    event.listen(engine, "checkin", given_back)


def _has_news(connection: psycopg.Connection[Any]) -> bool:
    news = select.poll()
    news.register(connection.fileno(), select.POLLIN)
    return bool(news.poll(0))


class Database:
    """Opens units of work. One transaction each: what was not committed has not happened."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._queries: dict[TextClause, str] = {}
        # The same pool; whatever is begun over it is read-only, also after an author's form has called commit.
        self._reading = engine.execution_options(postgresql_readonly=True)

    @contextmanager
    def transaction(self, changed_by: str) -> Iterator[Session]:
        """One transaction, current for models and `db.session`; commits at the end, rolls back on any exception."""
        with (
            Session(self.engine, expire_on_commit=False) as session,
            current_session(lambda: session, Origin(changed_by)),
            session.begin(),
        ):
            yield session

    @contextmanager
    def reading(self, *, with_authors: bool = False) -> Iterator[Session]:
        """A read-only transaction, current for models; nothing is ever written.

        It ends with COMMIT, as the driver forgets at ROLLBACK what it has prepared, and all would be planned anew.

        Args:
            with_authors: authors' code looks around in it, a form or an authorizer: what it has set in the session of
                PostgreSQL ends with the transaction, which takes ROLLBACK.
        """
        with (
            Session(self._reading, expire_on_commit=False, autoflush=False) as session,
            current_session(lambda: session, Origin("")),
        ):
            yield session
            if not with_authors:
                session.commit()

    def alone(self, statement: TextClause, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        """Run a statement that is a transaction of its own; its rows.

        It goes to the driver: a Session, BEGIN and COMMIT would cost several times the statement itself.

        Raises:
            DBAPIError: as from a session.
        """
        dialect = self.engine.dialect
        query = self._queries.get(statement)
        if query is None:
            query = self._queries[statement] = str(statement.compile(dialect=dialect))
        try:
            with closing(self.engine.raw_connection()) as pooled:
                connection: Any = pooled.driver_connection
                try:
                    connection.autocommit = True
                    return cursor_of(pooled).execute(query, values).fetchall()
                finally:
                    if connection.info.transaction_status == TransactionStatus.IDLE:
                        connection.autocommit = False
                    else:
                        pooled.invalidate()
        except psycopg.Error as error:
            raise DBAPIError.instance(query, None, error, psycopg.Error, dialect=dialect) from error

    def dispose(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()
