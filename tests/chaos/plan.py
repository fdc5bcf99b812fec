"""What a run does: everything in it that is random follows from the seed."""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Round:
    """One strike to come. Kinds that can strike in two ways take them in turn."""

    kind: str
    number: int
    other_way: bool


@dataclass(frozen=True)
class Plan:
    """How much of everything; times in seconds."""

    seed: int
    kinds: tuple[str, ...]
    processes: int = 200
    strikes: int = 5
    workers: int = 3
    clocks: int = 2
    step_seconds: float = 0.5
    open_at_once: int = 9
    burst_seconds: float = 2.0

    def rounds(self) -> list[Round]:
        """The strikes in their order, each kind as often as the next."""
        dice = random.Random(f"{self.seed}/rounds")
        found = []
        for kind in self.kinds:
            first = dice.randrange(2)
            found += [Round(kind, number, (number + first) % 2 == 1) for number in range(self.strikes)]
        dice.shuffle(found)
        return found

    def burst_of(self, worker: int) -> float:
        """How long a child of this worker goes on with one process: every other one does, by the seed."""
        return self.burst_seconds if (self.seed + worker) % 2 else 0.0

    def dice(self, what: Round) -> random.Random:
        """For the choices within one strike, so that they do not depend on how the strikes before it went."""
        return random.Random(f"{self.seed}/{what.kind}/{what.number}")
