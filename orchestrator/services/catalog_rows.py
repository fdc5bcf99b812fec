"""One row of the catalog, whatever it is of: found by its id, and changed with an entry in the audit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.errors import NotFoundError
from orchestrator.language.vocabulary import Actor
from orchestrator.services import audit
from orchestrator.storage.tables import Base

Row = TypeVar("Row", bound=Base)


def find_row(session: Session, table: type[Row], what: str, identifier: UUID) -> Row:
    """The row of this id.

    Raises:
        NotFoundError: there is none.
    """
    row = session.get(table, identifier)
    if row is None:
        raise NotFoundError(f"there is no {what} {identifier}")
    return row


def change_row(
    session: Session,
    actor: Actor,
    row: Base,
    what: str,
    identifier: UUID,
    changes: Mapping[str, Any],
    request_id: str | None,
) -> None:
    """Give a row of the catalog new values, with an entry in the audit when that changes something."""
    before = {name: getattr(row, name) for name, value in changes.items() if getattr(row, name) != value}
    if not before:
        return
    for name in before:
        setattr(row, name, changes[name])
    after = {name: changes[name] for name in before}
    audit.record(session, actor, "change", what, identifier, before=before, after=after, request_id=request_id)
