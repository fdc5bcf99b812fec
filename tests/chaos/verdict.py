"""What must be true when the storm is over."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise
from typing import Any

import httpx

from orchestrator.storage.step_statements import STEP_LOCKS
from tests.chaos.chaos_catalog import STEPS
from tests.chaos.storm import Storm, Strike

_KEYS = [f"step_{place}" for place in range(1, STEPS + 1)]
_ALL_KEYS = ["start", *_KEYS, "done"]
_SHOWN = 10
_MARGIN = 0.1  # seconds between a line in the journal and what it tells of


def judge(storm: Storm) -> list[str]:
    """Everything that is not as it must be; empty when all is well."""
    return [*_processes(storm), *_steps(storm), *_ledger(storm), *_left_overs(storm), *_outside(storm)]


def _processes(storm: Storm) -> list[str]:
    rows = storm.sight.rows(
        "SELECT seq, status, failed_reason, (state ->> 'number')::int, state ->> 'counted', position, claim, process_id"
        " FROM processes ORDER BY seq"
    )
    assert rows is not None
    found = [f"{storm.processes} processes should be there, not {len(rows)}"] if len(rows) != storm.processes else []
    for seq, status, reason, _, counted, position, claim, _ in rows:
        if (status, counted, position, claim) != ("completed", str(STEPS), len(_ALL_KEYS), None):
            place = f"at position {position} with {counted} steps counted, claim {claim}"
            found.append(f"process {seq} is {status} {place}: {reason}")
    known = {number: process_id for _, _, _, number, _, _, _, process_id in rows}
    if known != storm.started:
        found.append("the ids that were answered are not those of the processes")
    return _short(found, "processes")


def _steps(storm: Storm) -> list[str]:
    rows = storm.sight.rows("SELECT process_seq, array_agg(key ORDER BY step_id) FROM process_steps GROUP BY 1")
    assert rows is not None
    bad = [f"process {seq} has the step rows {keys}" for seq, keys in rows if keys != _ALL_KEYS]
    return _short(bad, "step rows")


def _ledger(storm: Storm) -> list[str]:
    rows = storm.sight.rows("SELECT number, step, count(*) FROM ledger GROUP BY 1, 2")
    assert rows is not None
    counts = {(number, step): count for number, step, count in rows}
    wanted = {(number, key) for number in range(storm.processes) for key in _KEYS}
    found = [f"ledger: {place} has {counts.get(place, 0)} rows" for place in wanted if counts.get(place, 0) != 1]
    found += [f"ledger: {place} should not be there" for place in counts.keys() - wanted]
    return _short(found, "ledger")


def _left_overs(storm: Storm) -> list[str]:
    found = []
    locks = storm.sight.rows(
        "SELECT pid, objid FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint >> 16 = %(namespace)s",
        namespace=STEP_LOCKS,
    )
    if locks:
        found.append(f"locks are left: {locks}")
    idle = storm.sight.rows(
        "SELECT application_name, state, query FROM pg_stat_activity WHERE state LIKE 'idle in transaction%%'"
    )
    if idle:
        found.append(f"transactions are left open: {idle}")
    return found


def _outside(storm: Storm) -> list[str]:
    effects = Counter(each["object"] for each in _lab(storm, "effects"))
    wanted = {f"{number}-{key}" for number in range(storm.processes) for key in _KEYS}
    found = [f"lab: {place} has {effects[place]} effects" for place in wanted if effects[place] != 1]
    found += [f"lab: {place} should not be there" for place in effects.keys() - wanted]

    calls = Counter(each["key"] for each in _lab(storm, "calls"))
    tried: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for line in storm.journal():
        if line["what"] == "call":
            tried[line["key"]].append(line)
    if len(tried) != len(wanted):
        found.append(f"{len(tried)} idempotency keys were used, not {len(wanted)}")
    for key, lines in tried.items():
        if not 1 <= calls[key] <= len(lines):
            found.append(f"lab: {key} was called {calls[key]} times, the steps say {len(lines)}")
        for line, following in pairwise(lines):
            if not any(_explains(strike, line, following) for strike in storm.strikes):
                found.append(f"the step {key} called again without a reason: {line}, {following}")
    return _short(found, "outside")


def extra_attempts(storm: Storm) -> int:
    """How many attempts were not the first of their step."""
    begun = Counter(line["key"] for line in storm.journal() if line["what"] == "begin")
    return sum(count - 1 for count in begun.values())


def _explains(strike: Strike, call: dict[str, Any], following: dict[str, Any]) -> bool:
    hit = strike.pids is None or call["pid"] in strike.pids
    return hit and call["at"] - _MARGIN <= strike.ended and strike.began <= following["at"] + _MARGIN


def _lab(storm: Storm, what: str) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = httpx.get(f"{storm.plant.lab_url}/lab/{what}", timeout=30).json()
    return answer


def _short(found: list[str], name: str) -> list[str]:
    if len(found) <= _SHOWN:
        return found
    return [*found[:_SHOWN], f"... and {len(found) - _SHOWN} more about {name}"]
