"""Faults of the clock that leads; each counts until another one leads."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from tests.chaos.blow import Blow
from tests.chaos.storm import NoTargetError, Storm


def kill_clock(storm: Storm) -> None:
    """kill -9 of the clock that leads."""
    _end_leader(storm, "kill_clock", signal.SIGKILL)


def sigterm_clock(storm: Storm) -> None:
    """SIGTERM of the clock that leads."""
    _end_leader(storm, "sigterm_clock", signal.SIGTERM)


def stop_clock(storm: Storm) -> None:
    """SIGSTOP of the clock that leads, until another has taken over; then SIGCONT."""
    storm.await_held()
    pid, another_leads = _leader(storm)
    blow = Blow(storm, "stop_clock")
    os.kill(pid, signal.SIGSTOP)
    try:
        recovery = storm.until(another_leads, blow.began, "stop_clock: another clock leads", 30)
    finally:
        os.kill(pid, signal.SIGCONT)
    blow.recovered(recovery)


def _end_leader(storm: Storm, kind: str, number: signal.Signals) -> None:
    storm.await_held()
    pid, another_leads = _leader(storm)
    blow = Blow(storm, kind)
    os.kill(pid, number)
    blow.recovered(storm.until(another_leads, blow.began, f"{kind}: another clock leads"))


def _leader(storm: Storm) -> tuple[int, Callable[[], bool]]:
    """The process of the clock that leads, and what tells that another one does."""
    found: list[tuple[int, int]] = []

    def leads() -> bool:
        leader, clocks = storm.sight.leader(), [place.main for place in storm.plant.of_kind("beat") if place.process]
        found[:] = [leader] if leader is not None and leader[1] in clocks else []
        return bool(found)

    if not storm.plant.wait(leads, 20):
        storm.violations.append("no clock leads")
        raise NoTargetError
    ((backend, pid),) = found
    return pid, lambda: (storm.sight.leader() or (backend, pid))[0] != backend
