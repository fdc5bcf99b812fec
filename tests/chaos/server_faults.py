"""Faults of the web server and of PostgreSQL, and pauses of the engine."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.chaos.blow import Blow
from tests.chaos.storm import Storm


def kill_web(storm: Storm) -> None:
    """kill -9 of the web server while a process is being started; until it answers again."""
    storm.await_held()
    (place,) = storm.plant.of_kind("web")
    blow = Blow(storm, "kill_web")
    with ThreadPoolExecutor(1) as pool:
        if storm.may_start():
            pool.submit(storm.start_next)
            time.sleep(storm.dice.uniform(0, 0.03))
        place.signal_all(signal.SIGKILL)
    blow.recovered(storm.until(lambda: answers(storm.plant.api_url), blow.began, "kill_web: the API answers"))


def sigterm_web(storm: Storm) -> None:
    """SIGTERM of the web server while a process is being started, which it ends; until its successor answers."""
    storm.await_held()
    (place,) = storm.plant.of_kind("web")
    blow, main = Blow(storm, "sigterm_web"), place.main
    with ThreadPoolExecutor(1) as pool:
        if storm.may_start():
            pool.submit(storm.start_next)
            time.sleep(storm.dice.uniform(0, 0.03))
        os.kill(main, signal.SIGTERM)

    def restarted() -> bool:
        return place.process is not None and place.main != main and answers(storm.plant.api_url)

    blow.recovered(storm.until(restarted, blow.began, "sigterm_web: its successor answers"))


def restart_postgresql(storm: Storm) -> None:
    """Immediate restart: all connections are cut, it recovers from its log; until all that was claimed has gone on."""
    plant = storm.plant
    storm.await_held()
    blow = Blow(storm, "restart_postgresql")
    os.kill(plant.postmaster(), signal.SIGQUIT)
    if not plant.wait(lambda: not plant.postgresql.is_running, 30):
        storm.violations.append("restart_postgresql: it did not stop")
    ended = time.time()
    plant.start_database()
    blow.recovered(blow.until_moved(), None, ended)


def pause_engine(storm: Storm) -> None:
    """Pause and unpause, slowly (nothing may begin meanwhile) or twice within a second.

    From the unpause until everything that was open has gone on.
    """
    storm.await_held()
    blow = Blow(storm, "pause_engine")
    if storm.other_way:
        for paused in (True, False, True, False):
            _set_paused(storm, paused)
            time.sleep(storm.dice.uniform(0.05, 0.2))
    else:
        _set_paused(storm, True)
        storm.until(lambda: _status(storm).get("global_status") == "PAUSED", blow.began, "pause_engine: PAUSED", 30)
        quiet = time.time()
        storm.plant.wait(lambda: False, storm.dice.uniform(0.5, 1.5))
        begun = [line for line in storm.journal() if line["what"] == "begin" and line["at"] > quiet]
        if begun:
            storm.violations.append(f"pause_engine: steps began while PAUSED was shown: {begun}")
        _set_paused(storm, False)
    blow.recovered(storm.until_moved(blow.open, time.time(), "pause_engine"))


def answers(url: str) -> bool:
    """Whether the API answers."""
    try:
        return httpx.get(f"{url}/api/health/live", timeout=1).is_success
    except httpx.TransportError:
        return False


def _status(storm: Storm) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{storm.plant.api_url}/api/settings/status", timeout=10).json()
    return answer


def _set_paused(storm: Storm, paused: bool) -> None:
    answer = httpx.put(f"{storm.plant.api_url}/api/settings/status", json={"global_lock": paused}, timeout=10)
    if not answer.is_success:
        storm.violations.append(f"pause_engine: answered {answer.status_code}: {answer.text[:300]}")
