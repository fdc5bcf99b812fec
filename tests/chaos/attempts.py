"""What really ran: the attempts that the steps left in the journal, and which strikes explain that there were more."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from tests.chaos.storm import Strike

# Seconds in which a function that has ended is recorded, or is struck before it is.
_RECORDED: Final = 2.0
# Seconds between something and its line.
_MARGIN: Final = 0.5


@dataclass
class Attempt:
    """One run of a step's function; `ended` is None when it never came to its end."""

    key: str
    pid: int
    began: float
    calls: list[float] = field(default_factory=list)
    ended: float | None = None

    def __str__(self) -> str:
        end = "never ended" if self.ended is None else f"ended {self.ended:.2f}"
        return f"pid {self.pid} began {self.began:.2f}, {end}, called {len(self.calls)} times"


def attempts_of(journal: Iterable[Mapping[str, Any]]) -> dict[str, list[Attempt]]:
    """The attempts of each step, by its idempotency key, in their order."""
    found: dict[str, list[Attempt]] = defaultdict(list)
    latest: dict[tuple[str, int], Attempt] = {}
    for line in journal:
        key, pid, at = line["key"], line["pid"], line["at"]
        match line["what"]:
            case "begin":
                latest[key, pid] = Attempt(key, pid, at)
                found[key].append(latest[key, pid])
            case "call":
                latest[key, pid].calls.append(at)
            case "end":
                latest[key, pid].ended = at
    return found


def unexplained(attempts: Mapping[str, Sequence[Attempt]], strikes: Sequence[Strike]) -> list[str]:
    """Every further attempt, and every further call within one, that no strike is to blame for.

    A strike explains a further attempt when it fell on the process of the one before, while that ran or was being
    recorded. It explains a further call when it fell between the two.
    """
    found = []
    for key, those in attempts.items():
        for attempt, following in pairwise(those):
            if not any(_ended(strike, attempt, following) for strike in strikes):
                found.append(f"step {key} ran again without a reason: {attempt}; then {following}")
        for attempt in those:
            for call, again in pairwise(attempt.calls):
                if not any(_between(strike, attempt.pid, call, again) for strike in strikes):
                    found.append(f"step {key} called again without a reason, at {call:.2f} and {again:.2f}: {attempt}")
    return found


def _ended(strike: Strike, attempt: Attempt, following: Attempt) -> bool:
    last = following.began if attempt.ended is None else attempt.ended + _RECORDED
    while_it_ran = strike.began <= last and attempt.began <= strike.ended + _MARGIN
    return _hits(strike, attempt.pid) and while_it_ran and strike.began <= following.began + _MARGIN


def _between(strike: Strike, pid: int, call: float, again: float) -> bool:
    return _hits(strike, pid) and call <= strike.ended + _MARGIN and strike.began <= again + _MARGIN


def _hits(strike: Strike, pid: int) -> bool:
    return strike.pids is None or pid in strike.pids
