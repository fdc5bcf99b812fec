"""Rules of the protocol, each taken away from the real code."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.engine import attempt, children, claims, record
from orchestrator.engine.bell import Ring
from orchestrator.engine.claims import Claim
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.sweep import Sweep
from orchestrator.storage import process_pausing
from orchestrator.storage.children_statements import COUNT_CHILDREN, END_WAIT, LOCK_PARENT
from orchestrator.storage.step_statements import CLAIM, RECORD_ALONE, UNLOCK, step_lock_key
from tests.model.workers import CURRENT

_UNCOUNTED = END_WAIT[: END_WAIT.index("  AND NOT EXISTS")] + END_WAIT[END_WAIT.index("RETURNING") :]


def no_lock(patch: pytest.MonkeyPatch) -> None:
    """A claim does not ask for the advisory lock."""
    patch.setattr(claims, "CLAIM", _without(CLAIM, "pg_try_advisory_lock(%(key)s) AS got", "true AS got"))


def no_token(patch: pytest.MonkeyPatch) -> None:
    """Whoever comes may record."""
    for name in ("RECORD", "RECORD_END", "RECORD_ALONE", "RECORD_END_ALONE"):
        patch.setattr(record, name, _without(getattr(record, name), "AND claim = %(claim)s AND status", "AND status"))


def burst_over_a_pause(patch: pytest.MonkeyPatch) -> None:
    """Whoever goes on in a burst does not look whether there is a pause."""
    looked = " AND NOT p.paused AND engine_open() AS goes_on"
    patch.setattr(record, "RECORD_ALONE", _without(RECORD_ALONE, looked, " AS goes_on"))


def ring_before_commit(patch: pytest.MonkeyPatch) -> None:
    """The bell for the next step is sent before the record is committed, and not again afterwards."""
    commit = attempt.commit_record

    def ring_and_commit(connection: WorkerConnection, claim: Claim) -> None:
        worker = CURRENT.worker
        (status,) = connection.row("SELECT status FROM processes WHERE seq = %(seq)s", {"seq": claim.seq}) or ("",)
        if status == "running":
            worker.ring([Ring(claim.seq, claim.process_id, "", "", claim.target, claim.is_task)])
            worker.has_rung = True
        commit(connection, claim)

    patch.setattr(attempt, "is_whole", lambda *_: False)
    patch.setattr(attempt, "commit_record", ring_and_commit)


def unlock_after_commit(patch: pytest.MonkeyPatch) -> None:
    """The lock is let go of behind the commit instead of before it."""

    def commit_and_unlock(connection: WorkerConnection, claim: Claim) -> None:
        connection.commit()
        connection.row(UNLOCK, {"key": step_lock_key(claim.seq)})

    patch.setattr(attempt, "is_whole", lambda *_: False)
    patch.setattr(attempt, "commit_record", commit_and_unlock)


def count_before_lock(patch: pytest.MonkeyPatch) -> None:
    """A child that ends counts its brothers and sisters before it locks the row of the parent."""

    def count_and_lock(connection: WorkerConnection, claim: Claim) -> Ring | None:
        if claim.parent_seq is None:
            return None
        place = "SELECT parent_position, parent_generation FROM processes WHERE seq = %(seq)s"
        position, generation = connection.row(place, {"seq": claim.seq}) or (0, 0)
        values = {"seq": claim.parent_seq, "position": position, "generation": generation}
        under_way, _ = connection.row(COUNT_CHILDREN, values) or (0, None)
        connection.row(LOCK_PARENT, {"seq": claim.parent_seq})
        row = None if under_way else connection.row(_UNCOUNTED, {"seq": claim.seq})
        return None if row is None else Ring(*row)

    patch.setattr(children, "end_wait_of_parent", count_and_lock)


def unpaused_without_a_look(patch: pytest.MonkeyPatch) -> None:
    """Nobody counts the children of a process that is let go on."""
    patch.setattr(process_pausing, "_END_WAIT", text("SELECT NULL WHERE :seq < 0"))


def no_sweep(patch: pytest.MonkeyPatch) -> None:
    """The clock finds nothing."""
    patch.setattr(Sweep, "find", lambda *_: [])


def _without(statement: str, rule: str, instead: str) -> Any:
    changed = statement.replace(rule, instead)
    assert changed != statement, f"the statement has no {rule!r} any more"
    return changed
