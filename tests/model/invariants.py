"""What must hold at every moment, whatever has happened."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from orchestrator.storage.step_statements import STEP_LOCKS
from tests.integration.told_states import TOLD, told_state
from tests.model.workflows import BRANCHES, CHILDREN_KEY, COUNTED, WRITTEN
from tests.model.world import World

RUNNABLE: Final = frozenset({"created", "running", "resumed"})
ENDED: Final = frozenset({"completed", "aborted"})
_DONE: Final = frozenset({"success", "skipped", "complete"})

_PROCESSES: Final = f"""
SELECT p.seq, p.process_id, p.status, p.waiting_for, p.position, p.paused, p.rung_at <= to_timestamp(0),
       p.parent_seq, p.parent_branch, p.state || p.recent,
       (SELECT workflow_name FROM workflow_versions v WHERE v.version_id = p.version_id),
       ARRAY(SELECT jsonb_build_object('position', s.position, 'generation', s.generation, 'key', s.key,
                                       'status', s.status, 'claim', s.claim, 'worker', s.worker,
                                       'error', s.error ->> 'class')
             FROM process_steps s WHERE s.process_seq = p.seq ORDER BY s.step_id),
       ARRAY(SELECT l.step FROM ledger l WHERE l.process = p.process_id::text ORDER BY l.ctid),
       {TOLD}
FROM processes p ORDER BY p.seq
"""

_LOCKS: Final = """
SELECT ((l.classid::bigint << 32) | l.objid::bigint) - (%(namespace)s::bigint << 48), a.application_name
FROM pg_locks l LEFT JOIN pg_stat_activity a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.classid::bigint >> 16 = %(namespace)s
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


@dataclass(frozen=True)
class Row:
    """A process as it is now, with its step rows and what it wrote into the ledger, in their order."""

    seq: int
    process_id: UUID
    status: str
    waiting_for: str | None
    position: int
    paused: bool
    woken_by_clock: bool
    parent_seq: int | None
    branch: str | None
    kept_state: dict[str, Any] | None
    workflow: str
    steps: list[dict[str, Any]]
    ledger: list[str]
    beginnings: list[Any]
    changes: list[Any]

    @cached_property
    def state(self) -> dict[str, Any]:
        """What its steps tell of its state."""
        return told_state(self.beginnings, self.changes) or {}

    @property
    def root(self) -> int:
        """The oldest of its family."""
        return self.parent_seq or self.seq

    @property
    def done(self) -> list[dict[str, Any]]:
        """The steps that are done."""
        return [one for one in self.steps if one["status"] in _DONE]

    @property
    def is_runnable(self) -> bool:
        """Whether its next step can be claimed, but for a pause of the engine."""
        return self.status in RUNNABLE and not self.paused


class Invariants:
    """Checks a world. What is broken is kept in `noticed` and raised."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.noticed: list[str] = []
        self.orders = 0
        self.checks = 0
        self._ended: dict[int, str] = {}

    def begin(self) -> None:
        """Another order of events begins."""
        self._ended.clear()
        self.orders += not self.noticed

    def told(self) -> str:
        """What was looked at, and what was noticed first."""
        return f"{self.orders} orders of events, {self.checks} looks{''.join(f', {one}' for one in self.noticed[:1])}"

    def must(self, holds: object, otherwise: str) -> None:
        """Tell what is broken."""
        if not holds:
            self.noticed.append(otherwise)
            raise AssertionError(otherwise)

    def rows(self) -> list[Row]:
        """All processes."""
        return [Row(*row) for row in self.world.rows(_PROCESSES)]

    def check(self) -> list[Row]:
        """Check all that can be seen at any moment."""
        self.checks += not self.noticed
        self.must(not self.world.scene.broken, "; ".join(self.world.scene.broken))
        rows = self.rows()
        for row in rows:
            self._check_records(row)
            self._check_state(row)
            self._check_effects(row)
        self._check_families(rows)
        self._check_bells(rows)
        self._check_locks()
        return rows

    def _check_records(self, row: Row) -> None:
        done = [(one["position"], one["generation"]) for one in row.done]
        self.must(done == [(number, 1) for number in range(len(done))], f"recorded out of order or twice: {row.steps}")
        self.must(
            row.position == len(done), f"process {row.seq} stands at {row.position}, and {len(done)} steps are recorded"
        )
        tokens = [one for one in row.steps if one["claim"] is not None]
        self.must(len({one["claim"] for one in tokens}) == len(tokens), f"a token recorded twice: {row.steps}")
        for one in tokens:
            claimed = self.world.scene.claims.get(UUID(one["claim"]))
            told = None if claimed is None else (claimed.seq, claimed.position, claimed.worker)
            self.must(
                told == (row.seq, one["position"], one["worker"]),
                f"recorded by another than had claimed: {one}, {told}",
            )
        before = self._ended.setdefault(row.seq, row.status) if row.status in ENDED else self._ended.get(row.seq)
        self.must(before in (None, row.status), f"process {row.seq} had ended as {before} and is {row.status}")

    def _check_state(self, row: Row) -> None:
        """What steps tell of a state is what is kept of it, and only a large one of a process that has ended is not."""
        if row.kept_state is None:
            self.must(row.status in ENDED and "large" in row.state, f"process {row.seq} is {row.status}, without state")
        else:
            self.must(
                list(row.kept_state.items()) == list(row.state.items()),
                f"the state of process {row.seq} is {row.kept_state}, and its steps tell {row.state}",
            )

    def _check_effects(self, row: Row) -> None:
        scene = self.world.scene
        keys = [one["key"] for one in row.done]
        self.must(
            row.ledger == [key for key in keys if key in WRITTEN],
            f"process {row.seq} wrote {row.ledger}, and {keys} are recorded",
        )
        counted = sum(key in COUNTED for key in keys)
        self.must(row.state.get("counted", 0) == counted, f"process {row.seq} counts {row.state}, recorded are {keys}")
        failures = Counter(one["key"] for one in row.steps if one["status"] == "failed")
        for key in COUNTED:
            calls, excused = scene.calls[row.process_id, key], 1 + scene.strikes[row.seq] + failures[key]
            self.must(calls <= excused, f"{key} of process {row.seq} was called {calls} times without a reason")
        answers = scene.answers.get(row.process_id, [])
        self.must(len(answers) <= 1, f"process {row.seq} took {len(answers)} callbacks")
        if "look" in keys:
            self.must(row.state["seen"] == answers[0], f"process {row.seq} was answered {answers}: {row.state}")

    def _check_families(self, rows: list[Row]) -> None:
        for row in rows:
            if row.workflow != "family":
                continue
            children = [one for one in rows if one.parent_seq == row.seq]
            has_waited = any(one["key"] == CHILDREN_KEY and one["status"] == "waiting" for one in row.steps)
            branches = sorted(one.branch or "" for one in children)
            self.must(
                branches == (sorted(BRANCHES) if has_waited else []), f"process {row.seq} has the children {branches}"
            )
            if CHILDREN_KEY in [one["key"] for one in row.done]:
                statuses = [one.status for one in children]
                self.must(set(statuses) == {"completed"}, f"process {row.seq} went on, its children are {statuses}")
            elif row.waiting_for == "children" and not row.paused and not self._is_excused(row, rows):
                open_ones = [one.seq for one in children if one.status not in ENDED]
                aborted = any(one.status == "aborted" for one in children)
                self.must(open_ones or aborted, f"all children of process {row.seq} have ended, and it waits on")

    def _check_bells(self, rows: list[Row]) -> None:
        """Without a loss, whoever recorded, started or resumed has rung: nobody needs the sweep.

        But for whom the clock has woken: it counts bells, also those that mean nothing any more, and rings after these.
        """
        for row in rows:
            if row.is_runnable and not self.world.scene.engine_paused and not self._is_excused(row, rows):
                self.must(
                    row.seq in self.world.scene.bells or row.woken_by_clock,
                    f"process {row.seq} is {row.status} and can go on, and nobody has rung for it",
                )

    def _is_excused(self, row: Row, rows: list[Row]) -> bool:
        """Whether somebody is busy with its family, or something of it was lost."""
        family = {one.seq for one in rows if one.root == row.root}
        busy = {worker.seq for worker in self.world.workers if worker.seq is not None}
        return bool(self.world.pending or family & (busy | self.world.scene.disturbed))

    def _check_locks(self) -> None:
        busy = {(worker.seq, worker.connection.name) for worker in self.world.workers if not worker.is_idle}
        held = set(self.world.rows(_LOCKS, namespace=STEP_LOCKS))
        self.must(held <= busy, f"locks are left: {held - busy}")
