"""One run: starts processes little by little, strikes again and again, and writes down what it did."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import httpx

from tests.chaos.chaos_catalog import JOURNAL
from tests.chaos.plan import Plan
from tests.chaos.plant import Plant
from tests.chaos.sight import Held, Sight, Spot

WORKFLOW = "ten_steps_in_the_storm"
MOST_LOST_ATTEMPTS = 3  # the default of ORCHESTRATOR_MAX_LOST_ATTEMPTS
CLAIM_PATIENCE = 30.0
PATIENCE = 90.0
_AIMS = 20

_Target = TypeVar("_Target")


class NoTargetError(Exception):
    """No step was claimed where the strike should have gone."""


@dataclass(frozen=True)
class Strike:
    """One strike. `pids`: whose attempts it may have ended (None: anybody's); an attempt elsewhere must not end."""

    kind: str
    began: float
    ended: float
    pids: frozenset[int] | None
    claims: int
    recovery: float
    settled: float


@dataclass
class Storm:
    """What the faults work with."""

    plant: Plant
    sight: Sight
    plan: Plan
    dice: random.Random
    other_way: bool = False
    allowed: int = 0
    started: dict[int, UUID] = field(default_factory=dict)
    strikes: list[Strike] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)

    # Starting

    def start_next(self, limit: float = 10.0) -> httpx.Response | None:
        """Ask for the next process; the same one again when the answer was lost. None: no answer."""
        number = len(self.started)
        page = {"number": number, "seed": self.plan.seed, "seconds": self.plan.step_seconds}
        try:
            answer = httpx.post(
                f"{self.plant.api_url}/api/processes/{WORKFLOW}",
                json=[page],
                headers={"Idempotency-Key": f"storm-{self.plan.seed}-{number}"},
                timeout=limit,
            )
        except httpx.TransportError:
            return None
        if answer.status_code == httpx.codes.CREATED:
            self.started[number] = UUID(answer.json()["id"])
        elif answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
            self.violations.append(f"a start was answered {answer.status_code}: {answer.text[:300]}")
        return answer

    def may_start(self) -> bool:
        """Whether any process is left to be started."""
        return len(self.started) < self.plan.processes

    def release(self) -> None:
        """Start processes until so many are open, as far as this round may."""
        deadline = time.monotonic() + PATIENCE
        while len(self.started) < self.allowed:
            spots = self.sight.spots()
            if spots is not None and len(spots) >= self.plan.open_at_once:
                return
            self.plant.look_after()
            if spots is None or self.start_next() is None:
                time.sleep(0.1)
            if time.monotonic() > deadline:
                self.violations.append("no process could be started for a long time")
                return

    # Aiming

    def await_held(self, fits: Callable[[Held], bool] = lambda _: True) -> list[Held]:
        """Wait for claims that fit.

        Raises:
            NoTargetError: there came none.
        """

        def there() -> list[Held]:
            self.release()
            return [held for held in self.sight.held() if fits(held)]

        return self._aim(there)

    def await_queue(self) -> None:
        """Wait until steps run and other processes wait for a worker, if there are processes enough for that.

        Raises:
            NoTargetError: no step runs.
        """

        def there() -> list[Spot]:
            spots = list((self.sight.spots() or {}).values())
            waiting = [spot for spot in spots if spot[1] is None]
            return (waiting if self.may_start() else spots) if self.sight.held() else []

        self._aim(there)

    def _aim(self, look: Callable[[], list[_Target]]) -> list[_Target]:
        """Wait for something to be seen, starting more processes than the round may as long as there is nothing."""
        found: list[_Target] = []

        def there() -> bool:
            found[:] = look()
            if not found:
                spots = self.sight.spots()
                if spots == {} and not self.may_start():
                    raise NoTargetError
                if spots is not None and len(spots) < self.plan.open_at_once and self.may_start():
                    self.start_next()
            return bool(found)

        for _ in range(_AIMS):
            if not self.plant.wait(there, CLAIM_PATIENCE, 0.05):
                raise NoTargetError
            # Let time pass that is not bound to anything, so that strikes fall anywhere in a step.
            time.sleep(self.dice.uniform(0, self.plan.step_seconds))
            if there():
                return found
        raise NoTargetError

    def may_die(self, victims: Collection[Held]) -> bool:
        """Whether none of these steps would come to the poison limit."""
        return all(held.attempt < MOST_LOST_ATTEMPTS for held in victims)

    def pick(self, choices: Collection[Any]) -> Any:
        """One of these, by the seed."""
        return self.dice.choice(sorted(choices, key=str))

    # Recovering

    def until_moved(self, before: Mapping[int, Spot], since: float, what: str) -> float:
        """Wait until all of these were recorded or claimed anew; the seconds since then until the last was."""
        left: list[int] = []

        def moved() -> bool:
            left[:] = self.sight.not_moved(before)
            return not left

        if not self.plant.wait(moved, PATIENCE):
            self.violations.append(f"{what}: not gone on after {PATIENCE:.0f} s: {self.sight.describe(left)}")
        return time.time() - since

    def until(self, what: Callable[[], bool], since: float, name: str, seconds: float = PATIENCE) -> float:
        """Wait until it is so; the seconds since then."""
        if not self.plant.wait(what, seconds):
            self.violations.append(f"{name}: not recovered after {seconds:.0f} s")
        return time.time() - since

    def note(self, strike: Strike) -> None:
        """Write a strike down, also into the folder of the logs."""
        self.strikes.append(strike)
        line = asdict(strike) | {"pids": None if strike.pids is None else sorted(strike.pids)}
        with (self.plant.folder / "strikes.jsonl").open("a") as strikes:
            strikes.write(json.dumps(line) + "\n")

    def journal(self) -> list[dict[str, Any]]:
        """What the steps have left of their attempts."""
        return read_journal(self.plant.folder)


def read_journal(folder: Path) -> list[dict[str, Any]]:
    """The lines that steps have left in this folder."""
    file = folder / JOURNAL
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
