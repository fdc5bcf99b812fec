"""The connection went away while a result was in hand: record it over a new one, if that cannot do harm."""

from __future__ import annotations

import time
from collections.abc import Callable

import psycopg
import structlog

from orchestrator.engine.claims import Claim, release
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.step_session import StepSession
from orchestrator.storage.step_statements import (
    END_BACKEND,
    FIND_RECORD,
    HAND_BACK,
    LOCK_PROCESS,
    TRY_LOCK,
    step_lock_key,
)

log = structlog.get_logger(__name__)

_PATIENCE_SECONDS = 60.0
_LOCK_TRIES = 50


Record = Callable[[Callable[[], StepSession]], None]


def record_after_loss(connection: WorkerConnection, claim: Claim, record: Record | None) -> bool:
    """Find out whether the record was written before the connection was lost; if not, write it, if that is allowed.

    The old server process is ended first, so that it can neither commit later nor keep the lock.

    Args:
        connection: a lost connection; it is opened anew, with growing pauses, for up to a minute.
        claim: the claim that the result belongs to.
        record: writes and commits the record in the open transaction, whose session it may ask for; None when the step
            used `db.session`, whose effects went with the connection: then the step must run again.

    Returns:
        Whether the step is recorded now. If not, the recovery sweep rings for its process, which carries the token of a
        claim that nobody holds, or was handed back, when the server had been away: that does not count as lost.
    """
    lost_name = connection.name
    refused = _reconnect(connection)
    if refused is None:
        return False
    connection.row(END_BACKEND, {"name": lost_name})
    for _ in range(_LOCK_TRIES):
        row = connection.row(TRY_LOCK, {"key": step_lock_key(claim.seq)})
        if row is not None and row[0]:
            break
        time.sleep(0.1)
    else:
        return False
    try:
        return _settle(connection, claim, record, server_was_away=refused > 0)
    finally:
        if not connection.lost:
            release(connection, claim.seq)


def _settle(connection: WorkerConnection, claim: Claim, record: Record | None, *, server_was_away: bool) -> bool:
    with connection.transaction() as session:
        ours = connection.row(LOCK_PROCESS, {"seq": claim.seq, "claim": claim.token})
        if connection.row(FIND_RECORD, {"claim": claim.token}) is not None:
            return True
        if ours is None or not ours[0] or record is None:
            # A step that ends its own connection, again and again, is given up; one is not blamed for the server's end.
            if server_was_away and connection.affected(HAND_BACK, {"seq": claim.seq, "claim": claim.token}):
                connection.commit()
            log.warning("result dropped after a lost connection", process_id=str(claim.process_id))
            return False
        record(session)
        return True


def _reconnect(connection: WorkerConnection) -> int | None:
    """How often the server refused before it accepted, None when it never did."""
    give_up = time.monotonic() + _PATIENCE_SECONDS
    pause, refused = 0.1, 0
    while True:
        try:
            connection.open()
        except psycopg.OperationalError as error:
            if time.monotonic() + pause > give_up:
                log.error("the database did not come back", error=str(error))
                return None
            time.sleep(pause)
            refused += 1
            pause = min(pause * 2, 2.0)
        else:
            return refused
