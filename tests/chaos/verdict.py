"""What must be true when the storm is over."""

from __future__ import annotations

from tests.chaos.attempts import unexplained
from tests.chaos.chaos_catalog import STEPS, WRITE_AFTER, WRITE_BEFORE, ballast_of
from tests.chaos.evidence import Evidence

_KEYS = [f"step_{place}" for place in range(1, STEPS + 1)]
_WRITING = [f"step_{place}" for place in sorted(WRITE_BEFORE | WRITE_AFTER)]
_ALL_KEYS = ["start", *_KEYS, "done"]
_SHOWN = 10
# What the row of a process must say that came to its end by itself, and that nobody has to look at.
_AT_ITS_END = {
    "status": "completed",
    "position": len(_ALL_KEYS),
    "claim": None,
    "deadline": None,
    "due_at": None,
    "waiting_for": None,
    "waiting_since": None,
    "failed_reason": None,
    "traceback": None,
    "paused": False,
}


def judge(evidence: Evidence) -> list[str]:
    """Everything that is not as it must be; empty when all is well."""
    parts = {
        "processes": _processes(evidence),
        "step rows": _steps(evidence),
        "the ledger": _ledger(evidence),
        "what is left over": _left_overs(evidence),
        "effects": _effects(evidence),
        "calls": _calls(evidence),
    }
    return [line for name, found in parts.items() for line in _short(found, name)]


def _processes(evidence: Evidence) -> list[str]:
    rows = evidence.processes
    found = []
    if len(rows) != evidence.planned:
        found.append(f"{evidence.planned} processes should be there, not {len(rows)}")
    for row in rows:
        wrong = {name: row[name] for name, value in _AT_ITS_END.items() if row[name] != value}
        if wrong:
            found.append(f"process {row['seq']} is not at its end as it must be: {wrong}")
        if row["state"].get("counted") != STEPS:
            found.append(f"process {row['seq']} has counted {row['state'].get('counted')} steps")
        if len(row["state"].get("ballast", "")) != ballast_of(row["state"].get("number", 0)):
            found.append(f"process {row['seq']} has lost of what is large in its state")
        if "passing" in row["state"]:
            found.append(f"process {row['seq']} has in its state what was taken away")
    known = {row["state"].get("number"): row["process_id"] for row in rows}
    if known != {number: str(process_id) for number, process_id in evidence.answered.items()}:
        found.append("the ids that the API answered are not those of the processes")
    return found


def _steps(evidence: Evidence) -> list[str]:
    keys: dict[int, list[str]] = {row["seq"]: [] for row in evidence.processes}
    for row in evidence.step_rows:
        keys.setdefault(row["process_seq"], []).append(row["key"])
    return [f"process {seq} has the step rows {those}" for seq, those in keys.items() if those != _ALL_KEYS]


def _ledger(evidence: Evidence) -> list[str]:
    counts = evidence.ledger
    wanted = {(number, key) for number in range(evidence.planned) for key in _WRITING}
    found = [f"ledger: {place} has {counts.get(place, 0)} rows" for place in wanted if counts.get(place, 0) != 1]
    return sorted(found) + [f"ledger: {place} should not be there" for place in counts.keys() - wanted]


def _left_overs(evidence: Evidence) -> list[str]:
    found = [f"a lock is left: {lock}" for lock in evidence.locks]
    found += [f"a transaction is left open: {each}" for each in evidence.open_transactions]
    return found + [f"the engine is still paused: {row}" for row in evidence.engine if row["paused"]]


def _effects(evidence: Evidence) -> list[str]:
    effects = evidence.effects
    wanted = {f"{number}-{key}" for number in range(evidence.planned) for key in _KEYS}
    found = [f"lab: {place} has {effects.get(place, 0)} effects" for place in wanted if effects.get(place, 0) != 1]
    return sorted(found) + [f"lab: {place} should not be there" for place in effects.keys() - wanted]


def _calls(evidence: Evidence) -> list[str]:
    said = {key: sum(len(attempt.calls) for attempt in those) for key, those in evidence.attempts.items()}
    wanted = {f"{process_id}:{key}:1" for process_id in evidence.answered.values() for key in _KEYS}
    found = [f"the idempotency key {key} was never used" for key in wanted - said.keys()]
    for key in sorted(said.keys() | evidence.calls.keys()):
        if key not in wanted:
            found.append(f"the idempotency key {key} should not be there")
        elif not 1 <= evidence.calls.get(key, 0) <= said.get(key, 0):
            found.append(f"lab: {key} was called {evidence.calls.get(key, 0)} times, the steps say {said.get(key, 0)}")
    return sorted(found) + unexplained(evidence.attempts, evidence.strikes)


def _short(found: list[str], name: str) -> list[str]:
    if len(found) <= _SHOWN:
        return found
    return [*found[:_SHOWN], f"... and {len(found) - _SHOWN} more about {name}"]
