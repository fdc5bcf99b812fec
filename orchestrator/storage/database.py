"""The database as the API and the command line use it: an engine with a pool, and units of work on it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, make_url
from sqlalchemy.orm import Session

from orchestrator.storage.session import Origin, current_session


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


def build_engine(url: str, *, application_name: str, pool_size: int = 5, **options: Any) -> Engine:
    """An engine for many short transactions; sleeping or vanished servers are noticed, not waited for.

    Args:
        url: `postgresql://...` in any of its spellings.
        application_name: what PostgreSQL shows for these connections.
        pool_size: connections kept; twice as many may be open for a moment.
        options: more for `create_engine`.
    """
    return create_engine(
        sqlalchemy_url(url),
        pool_size=pool_size,
        max_overflow=pool_size,
        pool_pre_ping=True,
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
        },
        **options,
    )


class Database:
    """Opens units of work. One transaction each: what was not committed has not happened."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
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
    def reading(self) -> Iterator[Session]:
        """A read-only transaction, current for models; nothing is ever committed."""
        with (
            Session(self._reading, expire_on_commit=False, autoflush=False) as session,
            current_session(lambda: session, Origin("")),
        ):
            yield session

    def dispose(self) -> None:
        """Close the pool's connections."""
        self.engine.dispose()
