"""Faults of workers. Each strikes once, while a step is claimed, and waits until what it broke goes on."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from typing import Final

from tests.chaos.blow import TRIES, Blow, a_worker, held_by
from tests.chaos.storm import NoTargetError, Storm

# Calls that were on their way when a network was healed are made again for as long as it takes to notice.
_NOTICED: Final = 8.0


def kill_child(storm: Storm) -> None:
    """kill -9 of a worker child in the middle of its step; until that step runs again."""
    for _ in range(TRIES):
        pid = storm.pick({each.pid for each in storm.await_held()})
        with suppress(ProcessLookupError):  # a child whose time was over
            os.kill(pid, signal.SIGSTOP)
            struck = held_by(storm, [pid])
            if struck and storm.may_die(struck):
                blow = Blow(storm, "kill_child", struck)
                os.kill(pid, signal.SIGKILL)
                return blow.recovered(blow.until_moved(), frozenset([pid]))
            os.kill(pid, signal.SIGCONT)
    raise NoTargetError


def kill_worker(storm: Storm) -> None:
    """kill -9 of a whole worker with its children, or of its main process alone; until its steps run again."""
    for _ in range(TRIES):
        place, _ = a_worker(storm)
        place.signal_all(signal.SIGSTOP)
        children = place.children()
        struck = held_by(storm, children)
        if struck and storm.may_die(struck):
            blow = Blow(storm, "kill_worker", struck)
            if storm.other_way:
                os.kill(place.main, signal.SIGKILL)
            else:
                place.signal_all(signal.SIGKILL)
            return blow.recovered(blow.until_moved(), frozenset(children))
        place.signal_all(signal.SIGCONT)
    raise NoTargetError


def sigterm_worker(storm: Storm) -> None:
    """SIGTERM: the worker ends its steps, ends, and is started again; until it has ended. No attempt may be lost."""
    place, struck = a_worker(storm)
    blow, main = Blow(storm, "sigterm_worker", struck), place.main
    os.kill(main, signal.SIGTERM)
    storm.until(lambda: place.process is None or place.main != main, blow.began, "sigterm_worker: its end", 60)
    blow.recovered(blow.until_moved())


def stop_worker(storm: Storm) -> None:
    """SIGSTOP of a worker with its children, some seconds later SIGCONT; from there until its steps are done.

    No attempt may be lost.
    """
    for _ in range(TRIES):
        place, _ = a_worker(storm)
        place.signal_all(signal.SIGSTOP)
        try:
            struck = held_by(storm, place.children())
            if not struck:
                continue
            blow = Blow(storm, "stop_worker", struck)
            storm.plant.wait(lambda: False, storm.dice.uniform(1, 4))
        finally:
            place.signal_all(signal.SIGCONT)
        return blow.recovered(blow.until_moved(time.time()))
    raise NoTargetError


def cut_network(storm: Storm) -> None:
    """A worker's network is cut without a FIN until its steps run elsewhere; then it is healed."""
    network = storm.plant.network
    assert network is not None
    place = storm.plant.cut_worker()
    for _ in range(TRIES):
        storm.await_held(lambda held: held.pid in place.children())
        children = place.children()
        if not storm.may_die(held_by(storm, children)):
            continue
        network.cut()
        try:
            time.sleep(0.1)
            struck = held_by(storm, children)
            if not struck or not storm.may_die(struck):
                continue  # it was recorded just before
            blow = Blow(storm, "cut_network", struck)
            recovery = blow.until_moved()
            storm.plant.wait(lambda: False, storm.dice.uniform(0, 2))
        finally:
            network.heal()
        return blow.recovered(recovery, frozenset(children), time.time() + _NOTICED)
    raise NoTargetError
