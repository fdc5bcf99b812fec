"""Workers that are held at every point of a step, so that a test decides who goes on next, and how.

Each bell is worked off by a thread of its own, with the real task, runner and connection. It stops at the points that
its connection knows by their statements; one thread goes on at a time, unless a lock of the database holds it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, LiteralString

import psycopg
from celery import Celery

from orchestrator.engine.bell import Ring
from orchestrator.engine.callbacks import CallbackSigner
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import Limits, StepRunner
from orchestrator.errors import StepFailedError
from orchestrator.language.catalog import Catalog
from orchestrator.storage.children_statements import END_WAIT, LOCK_PARENT
from orchestrator.storage.step_statements import LOCK_PROCESS, UNLOCK
from orchestrator.tasks.bell import RUN_STEP
from orchestrator.tasks.steps import register_run_step
from tests.integration.engine.engine_on_test import SECRET_KEY
from tests.model.scene import Claimed, Scene

LIMITS = Limits(1_000_000, max_lost_attempts=1_000, code_wait=60.0, signer=CallbackSigner(SECRET_KEY))
# Where a worker stops, in the order in which it comes there.
POINTS: Final = (
    "claim",
    "claimed",
    "function",
    "look",
    "record",
    "lock parent",
    "end wait",
    "unlock",
    "commit",
    "committed",
    "ring",
)
_STATEMENTS: Final[Mapping[str, str]] = {
    LOCK_PROCESS: "look",
    LOCK_PARENT: "lock parent",
    END_WAIT: "end wait",
    UNLOCK: "unlock",
}
_BURST_SECONDS: Final = 3_600.0
_CLAIMING: Final = "UPDATE processes p\n    SET claim ="
_RECORDING: Final = "INSERT INTO process_steps"

CURRENT = threading.local()


class CrashError(KeyboardInterrupt):
    """The process of this worker was killed: nothing of it runs any more. (The engine lets this one through.)"""


class HeldConnection(WorkerConnection):
    """The real connection, which stops before statements of the protocol, and dies with its worker."""

    def __init__(self, url: str, worker: HeldWorker) -> None:
        super().__init__(url, worker.name)
        self._of = worker

    def open(self) -> Any:
        if self._of.crashed:
            raise CrashError
        return super().open()

    def row(self, statement: LiteralString, values: Mapping[str, Any] | None = None) -> tuple[Any, ...] | None:
        if _CLAIMING in statement:
            return self._claim(statement, values or {})
        point = "record" if _RECORDING in statement else _STATEMENTS.get(statement)
        if point is not None:
            self._of.stop_at(point)
        return super().row(statement, values)

    def row_alone(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        # What the server does in one go is done in two, so that a worker can be held in between.
        row = self.row(statement, values)
        if row is not None:
            if row[0]:
                claimed = Claimed(values["seq"], values["next_position"], self._of.name)
                self._of.scene.note_claim(values["next_claim"], claimed)
            self.commit()
        return row

    def _claim(self, statement: LiteralString, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        self._of.stop_at("claim")
        row = super().row(statement, values)
        if row is not None and row[1] is not None:
            self._of.scene.note_claim(values["claim"], Claimed(values["seq"], row[2], self._of.name))
            self._of.stop_at("claimed")
        return row

    def commit(self) -> None:
        self._of.stop_at("commit")
        super().commit()
        if self._of.unanswered:
            self._of.unanswered = False
            self.kill()
            super().row("SELECT")  # raises
        self._of.stop_at("committed")

    def kill(self) -> None:
        """The socket is closed, as the kernel does it for a dead process; nothing is rolled back in good order."""
        if self._connection is not None and not self._connection.closed:
            with socket.socket(fileno=os.dup(self._connection.fileno())) as ours, suppress(OSError):
                ours.shutdown(socket.SHUT_RDWR)


@dataclass(eq=False)
class HeldWorker:
    """One worker child."""

    name: str
    url: str
    catalog: Catalog
    scene: Scene
    seq: int | None = None
    crashed: bool = False
    struck: bool = False
    # It goes on with a process without another bell.
    bursts: bool = False
    # What is to happen to the bell that it works off.
    fail: bool = False
    gives_lock_away: bool = False
    unanswered: bool = False
    # The connection that was taken from it, which it may not know yet.
    cut: str = ""
    # A mutation has rung already.
    has_rung: bool = False
    _point: str = ""
    _thread: threading.Thread | None = None
    _may_go: threading.Event = field(default_factory=threading.Event)
    _stopped: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._task, self._burst = (self._made_task(seconds) for seconds in (0.0, _BURST_SECONDS))
        self.begin_anew()

    def _made_task(self, burst_seconds: float) -> Any:
        application = Celery(f"model-{self.name}", set_as_current=False)
        register_run_step(application, lambda: self.runner, self, burst_seconds)
        return application.tasks[RUN_STEP]

    def begin_anew(self) -> None:
        """A new process takes the place of one that died."""
        self.crashed = False
        self.connection = HeldConnection(self.url, self)
        self.runner = StepRunner(self.connection, self.catalog, LIMITS)

    def ring(self, rings: Sequence[Ring]) -> int:
        """As `Bell.ring`."""
        self.stop_at("ring")
        return 0 if self.has_rung else self.scene.ring(rings)

    @property
    def is_idle(self) -> bool:
        """Whether it waits for a bell."""
        return self._thread is None

    @property
    def is_held(self) -> bool:
        """Whether it stands at a point, and can be let go on. One that has come to its end stands at none."""
        return self._thread is not None and self._stopped.is_set() and bool(self._point)

    @property
    def is_under_way(self) -> bool:
        """Whether it is between two points: busy, held by a lock of the database, or at an end that nobody has seen."""
        return self._thread is not None and not self.is_held

    @property
    def point(self) -> str | None:
        """Where it is held."""
        return self._point if self.is_held else None

    def take(self, seq: int) -> None:
        """Hear a bell; `settle` of the world tells when it has come to its first point."""
        assert self.is_idle
        self.seq = seq
        self.struck = self.fail = self.gives_lock_away = self.unanswered = self.has_rung = False
        if self.cut and self.cut == self.connection.name:
            self.struck = True
            self.scene.strike(seq)
        self._stopped.clear()
        self._thread = threading.Thread(target=self._work, name=self.name, daemon=True)
        self._thread.start()

    def let_go_on(self) -> None:
        """Leave the point where it is held."""
        self._stopped.clear()
        self._may_go.set()

    def look(self, seconds: float) -> None:
        """See whether it comes to a point, or to the end, within this time."""
        if self._stopped.wait(seconds) and not self._point and self._thread is not None:
            self._thread.join()
            self._thread = self.seq = None

    def stop_at(self, point: str) -> None:
        """Called by the worker's own thread: wait here until it is let go on."""
        if self.crashed:
            raise CrashError
        if threading.current_thread() is not self._thread:
            return
        self._may_go.clear()
        self._point = point
        self._stopped.set()
        self._may_go.wait()
        if self.crashed:
            raise CrashError

    def _work(self) -> None:
        CURRENT.worker = self
        try:
            (self._burst if self.bursts else self._task)(seq=self.seq)
        except (StepFailedError, CrashError):
            pass
        except psycopg.OperationalError as raised:
            if not self.struck:
                self.scene.broken.append(f"{self.name} lost its connection, and nobody took it: {raised}")
        except BaseException as raised:  # noqa: BLE001 - whatever it is, the model tells of it
            self.scene.broken.append(f"{self.name} raised {raised!r}")
        finally:
            self._point = ""
            self._stopped.set()
