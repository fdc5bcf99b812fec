"""One process by its id, and the bell for it."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.engine.bell import Ring
from orchestrator.errors import ProcessNotFoundError
from orchestrator.storage.process_statements import ProcessRow, find_process


def get_process(session: Session, process_id: UUID, *, lock: bool = False) -> ProcessRow:
    """The process of this id. `lock`: nobody else changes it before this transaction ends.

    Raises:
        ProcessNotFoundError: there is none.
    """
    row = find_process(session, process_id, lock=lock)
    if row is None:
        raise ProcessNotFoundError(f"there is no process {process_id}")
    return row


def ring_for(row: ProcessRow, step_key: str | None) -> Ring:
    """The bell for a process that goes on with this step, None behind the last."""
    return Ring(row.seq, row.process_id, row.workflow_name, step_key or "", row.target, row.is_task)
