"""Step 1 of the protocol: take the right to run the next step of a process."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.errors import InvalidSqlStatementName

from orchestrator.engine.connection import WorkerConnection
from orchestrator.storage.step_statements import CLAIM, GIVE_BACK, UNLOCK, step_lock_key

_TRIES = 3


@dataclass(frozen=True)
class Claim:
    """The right to run one step: the advisory lock of this connection and a token that no one else has."""

    seq: int
    token: UUID
    process_id: UUID
    position: int
    generation: int
    version_id: int
    state: dict[str, Any]
    attempt: int
    claimed_at: datetime
    target: str
    is_task: bool
    created_by: str
    waiting_since: datetime | None
    limit_since: datetime
    given_up: bool
    parent_seq: int | None


def claim_step(connection: WorkerConnection, seq: int) -> Claim | None:
    """Give the caller the right to run the next step of the process, or None when there is nothing to do here.

    The right is a session advisory lock on this connection, so a dead worker holds nothing; the token is the fence
    that keeps a late result out.
    """
    connection.start_afresh()
    for _ in range(_TRIES):
        token = uuid4()
        values = {"seq": seq, "key": step_lock_key(seq), "claim": token, "worker": connection.worker}
        row = _claimed(connection, values)
        if row is None or not row[0]:
            return None
        if row[1] is not None:
            # Put together here: the server would have to take a large state apart for it.
            claim = Claim(seq, token, *row[1:-1])
            claim.state.update(row[-1])
            return claim
        release(connection, seq)
    return None


def _claimed(connection: WorkerConnection, values: dict[str, Any]) -> tuple[Any, ...] | None:
    try:
        return connection.row(CLAIM, values)
    except InvalidSqlStatementName:
        # A step before this one had the server forget what is prepared, in a way that the driver did not see.
        connection.discard()
        return connection.row(CLAIM, values)


def release(connection: WorkerConnection, seq: int) -> None:
    """Let go of the lock."""
    connection.row(UNLOCK, {"key": step_lock_key(seq)})


def give_back(connection: WorkerConnection, claim: Claim, seconds: float) -> None:
    """Undo a claim without counting it; the process is looked at again after `seconds`."""
    connection.affected(GIVE_BACK, {"seq": claim.seq, "claim": claim.token, "seconds": seconds})
    release(connection, claim.seq)
