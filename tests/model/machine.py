"""The model: random orders of everything that can happen to processes, as rules of a state machine.

What cannot happen at a moment does nothing, so that the choices never depend on how things went.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import partial

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from orchestrator.services.processes import abort_process
from orchestrator.services.resuming import resume_process
from orchestrator.services.starting import start_process
from tests.model.director import Director
from tests.model.workers import POINTS
from tests.model.workflows import STARTED
from tests.model.world import OPERATOR

_MORE = 1

ALIVE = frozenset({"created", "running", "resumed", "failed", "waiting", "awaiting_callback"})

kinds = st.sampled_from(STARTED)
which = st.integers(0, 11)
points = st.sampled_from((1, 1, 2, 3, 5))
flags = st.booleans()


class ProtocolModel(Director):
    """The rules, of which any may be next."""

    @invariant()
    def all_holds(self) -> None:
        """Check everything after each event."""
        self.watch.check()

    # Operators, and outside systems

    @initialize(workflows=st.tuples(kinds, kinds), bells=st.integers(0, 8), bursting=st.sets(st.integers(0, 2)))
    def start_two(self, workflows: tuple[str, str], bells: int, bursting: Collection[int] = ()) -> None:
        """Two processes are there from the start, and have come some way. Some workers go on in bursts."""
        for number, worker in enumerate(self.world.workers):
            worker.bursts = number in bursting
        for workflow in workflows:
            self.world.operate(partial(start_process, self.world.context, OPERATOR, workflow))
        self._work(0, bells)

    @rule(chosen=which, heard=flags)
    def resume(self, chosen: int, heard: bool) -> None:
        """A step that failed is tried again; its bell may be the next that is heard."""
        self._act(frozenset({"failed"}), chosen, resume_process, heard)

    @rule(chosen=which, heard=flags)
    def call_back(self, chosen: int, heard: bool) -> None:
        """An outside system answers: before its callback is awaited, or while it is, or once more."""
        rows = [row for row in self.watch.rows() if row.process_id in self.scene.routes]
        if rows:
            row = rows[chosen % len(rows)]
            self.world.operate(partial(self._answer, row))
            if heard:
                self._have_heard(row.seq)

    @rule(chosen=which, what=st.sampled_from(("start", "abort", "pause", "pause all")))
    def operate(self, chosen: int, what: str) -> None:
        """What operators do seldom."""
        match what:
            case "start" if self.more < _MORE and not self.scene.engine_paused:
                self.more += 1
                start = partial(start_process, self.world.context, OPERATOR, STARTED[chosen % len(STARTED)])
                self.world.operate(start)
            case "abort":
                self._act(ALIVE, chosen, abort_process)
            case "pause":
                self._with_one(ALIVE, chosen, self._turn)
            case "pause all":
                self.world.operate(partial(self._turn_engine, not self.scene.engine_paused))

    @rule()
    def unpause(self) -> None:
        self._unpause()

    # Workers

    @rule(chosen=which, steps=points)
    def hear(self, chosen: int, steps: int) -> None:
        """A worker hears a bell, and comes to one of the first points."""
        worker = self._hear_any(chosen)
        if worker is not None:
            self._go(worker, steps - 1)

    @rule(chosen=which, bells=st.integers(1, 6))
    def work(self, chosen: int, bells: int) -> None:
        """A worker works off some bells, undisturbed."""
        self._work(chosen, bells)

    @rule(bells=st.integers(1, 3))
    def work_in_turn(self, bells: int) -> None:
        """The same with the bells that came first, so that all get on."""
        self._work(0, bells)

    @rule(chosen=which, point=st.sampled_from(POINTS), fail=flags)
    def all_go_to(self, chosen: int, point: str, fail: bool) -> None:
        """Whoever is idle hears a bell, and all go on to the same point; those that do not come by it to their end."""
        while self._hear_any(chosen) is not None:
            pass
        for worker in self.world.workers:
            worker.fail = worker.fail or fail
            self._go_to(worker, point)

    @rule(chosen=which, steps=points, fail=flags)
    def go_on(self, chosen: int, steps: int, fail: bool) -> None:
        """A worker goes on for some points; its step may fail."""
        worker = self._held(chosen)
        if worker is not None:
            worker.fail = fail
            self._go(worker, steps)

    @rule(chosen=which, point=st.sampled_from(POINTS), fail=flags)
    def go_to(self, chosen: int, point: str, fail: bool) -> None:
        """A worker goes on to a point."""
        worker = self._held(chosen) or self._hear_any(chosen)
        if worker is not None:
            worker.fail = fail
            self._go_to(worker, point)

    # What strikes workers

    @rule(chosen=which, taken_over=flags, how=st.sampled_from(("crash", "lose connection", "lose answer", "lose lock")))
    def strike(self, chosen: int, taken_over: bool, how: str) -> None:
        """Something happens to a worker that is held; another one may take its step at once.

        It dies. It loses its connection, and does not know it yet. Its commit will be done and not be answered. Its
        step gives away the lock that it runs under.
        """
        worker = self._held(chosen)
        if worker is None or (how == "lose lock" and worker.point != "function"):
            return
        seq = self._strike(worker)
        match how:
            case "crash":
                self.world.kill(worker)
            case "lose connection":
                self.world.cut([worker.connection.name])
            case "lose answer":
                worker.unanswered = True
            case "lose lock":
                worker.gives_lock_away = True
                self.world.go_on(worker)
        if taken_over:
            self._have_run(seq)

    @rule()
    def restart_database(self) -> None:
        """All connections end at once, also those of workers that are idle and will see it at their next bell."""
        for worker in self.world.with_state(is_idle=False):
            self._strike(worker)
        self.world.restart()

    # The broker and the clock

    @rule(chosen=which)
    def copy_bell(self, chosen: int) -> None:
        if self.scene.bells:
            self.scene.bells += [self.scene.bells[chosen % len(self.scene.bells)]] * 3

    @rule(chosen=which, all_of_them=flags)
    def lose_bells(self, chosen: int, all_of_them: bool) -> None:
        bells = self.scene.bells
        lost = bells[:] if all_of_them else bells[chosen % len(bells) :][:1] if bells else []
        self.scene.disturbed.update(lost)
        for seq in lost:
            bells.remove(seq)

    @rule()
    def sweep(self) -> None:
        if not self.scene.bells:
            self._sweep()
        else:
            self.world.look_around()
