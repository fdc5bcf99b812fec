"""The states of processes, compared with what their steps tell."""

from __future__ import annotations

from typing import Any, Final

from orchestrator.language.history import present_state
from orchestrator.storage.database import Database

# Of a process `p`: where it began, and what its steps changed.
TOLD: Final = """
ARRAY(SELECT jsonb_build_array(b.generation, b.state)
      FROM process_starts b WHERE b.process_seq = p.seq ORDER BY b.start_id),
ARRAY(SELECT jsonb_build_array(s.generation, s.delta, to_jsonb(s.removed))
      FROM process_steps s WHERE s.process_seq = p.seq ORDER BY s.step_id)
"""
_PROCESSES: Final = f"SELECT p.seq, p.status, p.state || p.recent, {TOLD} FROM processes p"


def told_state(beginnings: list[Any], steps: list[Any]) -> dict[str, Any] | None:
    """What the steps of a process tell of its state; None when nobody kept where it began."""
    if not beginnings:
        return None
    *_, (last, began) = beginnings
    return present_state(began, [(delta, removed) for generation, delta, removed in steps if generation == last])


def check_states(database: Database) -> int:
    """See that the state of each process is the one that its steps tell, in the same order of keys, and that only those
    that have ended do without one; how many were compared."""
    compared = 0
    with database.engine.connect() as connection:
        for seq, status, state, beginnings, steps in connection.exec_driver_sql(_PROCESSES):
            told = told_state(beginnings, steps)
            if state is None:
                assert status in {"completed", "aborted"}, f"process {seq} is {status} and has no state"
                assert told is not None, f"process {seq} has no state, and nobody kept where it began"
            elif told is not None:
                compared += 1
                assert (list(told), told) == (list(state), state), f"the steps of process {seq} tell another state"
    return compared
