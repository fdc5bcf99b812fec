"""`db.session`: the SQLAlchemy Session of the step, request or command that is running.

Whoever opens a unit of work (the engine, the API, the command line) makes a session current; models and authors' steps
find it here. There is never a session outside of a unit of work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.errors import NoSessionError


@dataclass(frozen=True)
class Origin:
    """Who makes the changes of a unit of work: written into the history of values and the audit."""

    changed_by: str
    process_id: UUID | None = None
    process_seq: int | None = None
    step_key: str | None = None


@dataclass(frozen=True)
class _Unit:
    provide: Callable[[], Session]
    origin: Origin


_current: ContextVar[_Unit | None] = ContextVar("orchestrator_unit_of_work", default=None)


class CurrentDatabase:
    """Gives the current session. There is one instance, `db`."""

    @property
    def session(self) -> Session:
        """The session of the running step, request or command.

        Raises:
            NoSessionError: there is no unit of work here.
        """
        unit = _current.get()
        if unit is None:
            raise NoSessionError
        return unit.provide()

    @property
    def origin(self) -> Origin:
        """Who makes the changes of this unit of work.

        Raises:
            NoSessionError: there is no unit of work here.
        """
        unit = _current.get()
        if unit is None:
            raise NoSessionError
        return unit.origin


db = CurrentDatabase()


@contextmanager
def current_session(provide: Callable[[], Session], origin: Origin) -> Iterator[None]:
    """Make what `provide` returns the current session; it is called at each use, so it may open lazily."""
    token = _current.set(_Unit(provide, origin))
    try:
        yield
    finally:
        _current.reset(token)
