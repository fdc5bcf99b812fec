"""The hands of the model: what its rules are made of, and how it comes to rest at the end."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Final

from hypothesis.stateful import RuleBasedStateMachine

from orchestrator.services.callbacks import deliver_callback
from orchestrator.services.engine import set_engine_lock
from orchestrator.services.pausing import pause_process, unpause_process
from orchestrator.services.processes import abort_process
from orchestrator.services.resuming import resume_process
from tests.model.invariants import ENDED, Invariants, Row
from tests.model.workers import HeldWorker
from tests.model.world import OPERATOR, World

_MOST_ROUNDS: Final = 30


class Director(RuleBasedStateMachine):
    """One order of events in a world."""

    def __init__(self, world: World, invariants: Invariants) -> None:
        super().__init__()
        self.world, self.watch = world, invariants
        self.scene = world.begin()
        invariants.begin()
        self.more = 0
        self.answers = 0

    def _answer(self, row: Row) -> None:
        self.answers += 1
        number, token = self.answers, self.scene.routes[row.process_id].rpartition("/")[2]
        deliver_callback(self.world.context, OPERATOR, row.process_id, token, {"number": number})
        self.scene.answers.setdefault(row.process_id, []).append(number)

    def _turn(self, row: Row) -> None:
        if row.paused:
            self.scene.paused.discard(row.seq)
            unpause_process(self.world.context, OPERATOR, row.process_id)
        else:
            pause_process(self.world.context, OPERATOR, row.process_id)
            self.scene.paused.add(row.seq)

    def _unpause(self) -> None:
        """Nothing is paused any more."""
        if self.scene.engine_paused:
            self.world.operate(partial(self._turn_engine, False))
        for row in self.watch.rows():
            if row.paused:
                self.world.operate(partial(self._turn, row))

    def _turn_engine(self, paused: bool) -> None:
        self.scene.engine_paused = False
        set_engine_lock(self.world.context, OPERATOR, paused)
        self.scene.engine_paused = paused

    def _act(self, statuses: frozenset[str], chosen: int, act: Callable[..., Any], heard: bool = False) -> None:
        self._with_one(statuses, chosen, lambda row: act(self.world.context, OPERATOR, row.process_id), heard)

    def _with_one(self, statuses: frozenset[str], chosen: int, act: Callable[[Row], Any], heard: bool = False) -> None:
        """Something is done to one of those in these statuses; its bell may be the next that is heard."""
        rows = [row for row in self.watch.rows() if row.status in statuses]
        if rows:
            row = rows[chosen % len(rows)]
            self.world.operate(partial(act, row))
            if heard:
                self._have_heard(row.seq)

    def _sweep(self) -> None:
        """With no bell left, the clock rings for all who can go on and whom nobody is busy with."""
        self.world.look_around()
        busy = {worker.seq for worker in self.world.workers}
        forgotten = [
            row.seq
            for row in self.watch.rows()
            if row.is_runnable and row.seq not in self.scene.bells and row.seq not in busy
        ]
        paused = self.scene.engine_paused or self.world.pending
        self.watch.must(paused or not forgotten, f"the sweep has forgotten {forgotten}")

    # The end: all comes to rest by bells and the sweep alone

    def teardown(self) -> None:
        """Let everybody come to an end, then ring and sweep until nothing is left to do."""
        try:
            self._come_to_rest()
        finally:
            with suppress(AssertionError):
                self._finish_all()
            for worker in self.world.workers:
                worker.connection.discard()
            self.world.sweep.close()

    def _come_to_rest(self) -> None:
        self._finish_all()
        self.watch.check()
        for _ in range(_MOST_ROUNDS):
            rows = self.watch.check()
            if all(row.status in ENDED for row in rows):
                return
            self._unpause()
            for row in rows:
                self._help(row)
            while (worker := self._hear_any(0)) is not None:
                self.world.finish(worker)
            self._sweep()
        left = [(row.seq, row.workflow, row.status, row.paused) for row in self.watch.rows() if row.status not in ENDED]
        self.watch.must(False, f"these never come to rest: {left}, paused: {self.scene.engine_paused}")

    def _help(self, row: Row) -> None:
        """Do what only people and outside systems can do."""
        if row.status == "failed":
            act = abort_process if row.steps[-1]["error"] == "ChildAbortedError" else resume_process
            self.world.operate(partial(act, self.world.context, OPERATOR, row.process_id))
        if row.status == "awaiting_callback" and not row.paused:
            self.world.operate(partial(self._answer, row))

    def _finish_all(self) -> None:
        for _ in range(_MOST_ROUNDS):
            for worker in self.world.workers:
                self.world.finish(worker)
            self.world.settle()
            if len(self.world.with_state(is_idle=True)) == len(self.world.workers) and not self.world.pending:
                return
        self.watch.must(False, f"{[one.name for one in self.world.with_state(is_idle=False)]} never come to an end")

    def _work(self, chosen: int, bells: int) -> None:
        for _ in range(bells):
            worker = self._hear_any(chosen)
            if worker is not None:
                self.world.finish(worker)

    def _held(self, chosen: int) -> HeldWorker | None:
        held = self.world.with_state(is_held=True)
        return held[chosen % len(held)] if held else None

    def _hear_any(self, chosen: int) -> HeldWorker | None:
        idle = self.world.with_state(is_idle=True)
        if not idle or not self.scene.bells:
            return None
        self.world.hear(idle[0], self.scene.bells.pop(chosen % len(self.scene.bells)))
        return idle[0]

    def _have_heard(self, seq: int) -> None:
        if seq in self.scene.bells and self.world.with_state(is_idle=True):
            self.scene.bells.remove(seq)
            self._have_run(seq)

    def _have_run(self, seq: int) -> None:
        """An idle worker works off a bell, which may be one that comes twice."""
        idle = self.world.with_state(is_idle=True)
        if idle:
            self.world.hear(idle[0], seq)
            self.world.finish(idle[0])

    def _go(self, worker: HeldWorker, steps: int) -> None:
        for _ in range(steps):
            if worker.is_held:
                self.world.go_on(worker)

    def _go_to(self, worker: HeldWorker, point: str) -> None:
        while worker.is_held and worker.point != point:
            self.world.go_on(worker)

    def _strike(self, worker: HeldWorker) -> int:
        assert worker.seq is not None
        worker.struck = True
        self.scene.strike(worker.seq)
        return worker.seq
