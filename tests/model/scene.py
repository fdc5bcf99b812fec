"""What one order of events has brought about, apart from what stands in the database."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from orchestrator.engine.bell import Ring


class Caller(Protocol):
    """A worker in an author's function. `struck`: something was done to it, so that its step may run elsewhere, too."""

    name: str
    struck: bool


@dataclass(frozen=True)
class Claimed:
    """What a token was handed out for, and to whom."""

    seq: int
    position: int
    worker: str


@dataclass
class Scene:
    """The broker, which is a list of bells, and all that the invariants have to know.

    `disturbed`: processes of which a bell or a worker was lost, so that they may need the sweep.
    """

    bells: list[int] = field(default_factory=list)
    disturbed: set[int] = field(default_factory=set)
    strikes: Counter[int] = field(default_factory=Counter)
    claims: dict[UUID, Claimed] = field(default_factory=dict)
    calls: Counter[tuple[UUID, str]] = field(default_factory=Counter)
    inside: dict[UUID, list[Caller]] = field(default_factory=dict)
    routes: dict[UUID, str] = field(default_factory=dict)
    answers: dict[UUID, list[int]] = field(default_factory=dict)
    engine_paused: bool = False
    paused: set[int] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def ring(self, rings: Sequence[Ring]) -> int:
        """As `Bell.ring`."""
        self.bells.extend(ring.seq for ring in rings)
        return len(rings)

    def note_claim(self, token: UUID, claimed: Claimed) -> None:
        """A worker was given the right to run a step."""
        self.claims[token] = claimed
        if self.engine_paused or claimed.seq in self.paused:
            self.broken.append(f"process {claimed.seq} was claimed by {claimed.worker} although it is paused")

    def enter(self, process_id: UUID, key: str, worker: Caller) -> None:
        """A worker begins to run a function."""
        others = self.inside.setdefault(process_id, [])
        if any(not other.struck for other in others):
            names = [other.name for other in [*others, worker]]
            self.broken.append(f"{key} is run by two workers at once: {names}")
        self.calls[process_id, key] += 1
        others.append(worker)

    def leave(self, process_id: UUID, worker: Caller) -> None:
        """It has come back from it."""
        self.inside[process_id].remove(worker)

    def strike(self, seq: int) -> None:
        """The worker of a process was struck."""
        self.disturbed.add(seq)
        self.strikes[seq] += 1
