"""Faults of the clock that leads; each counts until another one leads."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.chaos.blow import Blow
from tests.chaos.plant import Place
from tests.chaos.storm import NoTargetError, Storm


def kill_clock(storm: Storm) -> None:
    """kill -9 of the clock that leads."""
    _end_leader(storm, "kill_clock", signal.SIGKILL)


def sigterm_clock(storm: Storm) -> None:
    """SIGTERM of the clock that leads."""
    _end_leader(storm, "sigterm_clock", signal.SIGTERM)


def stop_clock(storm: Storm) -> None:
    """SIGSTOP of the clock that leads, until another has taken over; then SIGCONT."""
    place, backend = _leader(storm)
    storm.await_held()
    blow = Blow(storm, "stop_clock")
    os.kill(place.main, signal.SIGSTOP)
    try:
        recovery = storm.until(_another_leads(storm, backend), blow.began, "stop_clock: another clock leads", 30)
    finally:
        os.kill(place.main, signal.SIGCONT)
    blow.recovered(recovery)


def _end_leader(storm: Storm, kind: str, number: signal.Signals) -> None:
    place, backend = _leader(storm)
    storm.await_held()
    blow = Blow(storm, kind)
    os.kill(place.main, number)
    blow.recovered(storm.until(_another_leads(storm, backend), blow.began, f"{kind}: another clock leads"))


def _leader(storm: Storm) -> tuple[Place, int]:
    """The clock that leads, and its server process."""

    def place() -> Place | None:
        last = {each: each.said().rpartition("this clock ")[2] for each in storm.plant.of_kind("beat") if each.process}
        leading = [each for each, said in last.items() if said.startswith("leads")]
        return leading[0] if len(leading) == 1 else None

    if not storm.plant.wait(lambda: place() is not None and storm.sight.leader() is not None, 20):
        storm.violations.append("no clock leads")
        raise NoTargetError
    found, backend = place(), storm.sight.leader()
    assert found is not None
    assert backend is not None
    return found, backend


def _another_leads(storm: Storm, backend: int) -> Callable[[], bool]:
    return lambda: storm.sight.leader() not in (None, backend)
