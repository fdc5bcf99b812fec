"""The kinds of fault. Each strikes once, while a step is claimed, and waits until what it broke goes on."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import httpx

from tests.chaos.plant import Place
from tests.chaos.sight import Held, Spot
from tests.chaos.storm import NoTargetError, Storm, Strike, spots_of

_TRIES = 20
_UNHARMED: Final = frozenset[int]()
_NOTICED: Final = 8.0


class _Blow:
    """A strike that is going on."""

    def __init__(self, storm: Storm, kind: str, claims: int) -> None:
        self._storm, self._kind, self._claims = storm, kind, claims
        self.open: dict[int, Spot] = storm.sight.spots() or {}
        self.began = time.time()

    def recovered(self, recovery: float, pids: frozenset[int] | None = _UNHARMED, ended: float | None = None) -> None:
        """Write the strike down, and wait until everything that was open then has gone on."""
        ended = ended or self.began
        settled = self._storm.until_moved(self.open, self.began, f"{self._kind}, everything that was open")
        claims = self._claims
        self._storm.strikes.append(Strike(self._kind, self.began, ended, pids, claims, recovery, settled))


def kill_child(storm: Storm) -> None:
    """kill -9 of a worker child in the middle of its step."""
    for _ in range(_TRIES):
        held = storm.await_held()
        if not held:
            continue
        pid = storm.pick({each.pid for each in held})
        struck = _frozen([pid], storm)
        if struck and storm.may_die(struck):
            blow = _Blow(storm, "kill_child", len(struck))
            os.kill(pid, signal.SIGKILL)
            recovery = storm.until_moved(spots_of(struck), blow.began, "kill_child")
            return blow.recovered(recovery, frozenset([pid]))
        os.kill(pid, signal.SIGCONT)
    raise NoTargetError


def kill_worker(storm: Storm) -> None:
    """kill -9 of a whole worker: the main process and its children, or the main process alone."""
    for _ in range(_TRIES):
        place = _a_worker(storm)
        place.signal_all(signal.SIGSTOP)
        children = place.children()
        struck = _held_by(storm, children)
        if struck and storm.may_die(struck):
            blow = _Blow(storm, "kill_worker", len(struck))
            if storm.random.random() < 0.5:
                place.signal_all(signal.SIGKILL)
            else:
                os.kill(place.main, signal.SIGKILL)
            recovery = storm.until_moved(spots_of(struck), blow.began, "kill_worker")
            return blow.recovered(recovery, frozenset(children))
        place.signal_all(signal.SIGCONT)
    raise NoTargetError


def sigterm_worker(storm: Storm) -> None:
    """SIGTERM: the worker ends its steps, ends, and is started again. No attempt may be lost by it."""
    place = _a_worker(storm)
    struck = _held_by(storm, place.children())
    blow = _Blow(storm, "sigterm_worker", len(struck))
    main = place.main
    os.kill(main, signal.SIGTERM)
    storm.until(lambda: place.process is None or place.main != main, blow.began, "sigterm_worker: its end", 60)
    blow.recovered(storm.until_moved(spots_of(struck), blow.began, "sigterm_worker"))


def stop_worker(storm: Storm) -> None:
    """SIGSTOP of a worker with its children, some seconds later SIGCONT. No attempt may be lost by it."""
    place = _a_worker(storm)
    place.signal_all(signal.SIGSTOP)
    struck = _held_by(storm, place.children())
    blow = _Blow(storm, "stop_worker", len(struck))
    storm.plant.wait(lambda: False, storm.random.uniform(1, 4))
    place.signal_all(signal.SIGCONT)
    blow.recovered(storm.until_moved(spots_of(struck), time.time(), "stop_worker"))


def kill_clock(storm: Storm) -> None:
    """kill -9 of the clock that leads."""
    _end_leader(storm, "kill_clock", signal.SIGKILL)


def sigterm_clock(storm: Storm) -> None:
    """SIGTERM of the clock that leads."""
    _end_leader(storm, "sigterm_clock", signal.SIGTERM)


def stop_clock(storm: Storm) -> None:
    """SIGSTOP of the clock that leads, until another has taken over."""
    held = storm.await_held()
    place, backend = _leader(storm)
    blow = _Blow(storm, "stop_clock", len(held))
    os.kill(place.main, signal.SIGSTOP)
    try:
        recovery = storm.until(_another_leads(storm, backend), blow.began, "stop_clock: another clock leads", 30)
    finally:
        os.kill(place.main, signal.SIGCONT)
    blow.recovered(recovery)


def kill_web(storm: Storm) -> None:
    """kill -9 of the web server while a process is being started."""
    held = storm.await_held()
    (place,) = storm.plant.of_kind("web")
    blow = _Blow(storm, "kill_web", len(held))
    with ThreadPoolExecutor(1) as pool:
        if len(storm.started) < storm.processes:
            pool.submit(storm.start_next)
            time.sleep(storm.random.uniform(0, 0.03))
        place.signal_all(signal.SIGKILL)
    blow.recovered(storm.until(lambda: answers(storm.plant.api_url), blow.began, "kill_web: the API answers"))


def restart_postgresql(storm: Storm) -> None:
    """Immediate restart of PostgreSQL: all connections are cut, it recovers from its log."""
    held = storm.await_held()
    plant = storm.plant
    blow = _Blow(storm, "restart_postgresql", len(held))
    os.kill(plant.postmaster(), signal.SIGQUIT)
    if not plant.wait(lambda: not plant.postgresql.is_running, 30):
        storm.violations.append("restart_postgresql: it did not stop")
    ended = time.time()
    plant.start_database()
    blow.recovered(storm.until_moved(spots_of(held), blow.began, "restart_postgresql"), None, ended)


def restart_broker(storm: Storm) -> None:
    """Stop Valkey, well or by force, start a process meanwhile, and start it again; counted from its return."""
    held = storm.await_held()
    blow = _Blow(storm, "restart_broker", len(held))
    if storm.random.random() < 0.5:
        with storm.plant.broker() as client:
            os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
        storm.plant.wait(lambda: not storm.plant.valkey.is_running, 10)
    storm.plant.valkey.stop()
    if len(storm.started) < storm.processes:
        before = time.monotonic()
        answer = storm.start_next(20)
        took = time.monotonic() - before
        if answer is None or answer.status_code != httpx.codes.CREATED or took > 10:
            storm.violations.append(f"restart_broker: a start without a broker: {answer} after {took:.1f} s")
    storm.plant.wait(lambda: False, storm.random.uniform(0.2, 2))
    storm.plant.start_broker()
    blow.recovered(storm.until_moved(blow.open, time.time(), "restart_broker"))


def flush_broker(storm: Storm) -> None:
    """FLUSHALL: every message and all that Celery keeps there is gone."""
    held = storm.await_held()
    blow = _Blow(storm, "flush_broker", len(held))
    with storm.plant.broker() as client:
        client.flushall()
    blow.recovered(storm.until_moved(blow.open, blow.began, "flush_broker"))


def copy_messages(storm: Storm) -> None:
    """Three copies of every message, those in work included, with the same or with fresh delivery tags."""
    held = storm.await_held()
    blow = _Blow(storm, "copy_messages", len(held))
    fresh = storm.random.random() < 0.5
    copied = 0
    with storm.plant.broker() as client:
        queues: dict[bytes, list[bytes]] = {}
        for key in client.keys("*"):
            kind = client.type(key)
            if kind == b"list":
                queues.setdefault(key, []).extend(client.lrange(key, 0, -1))
            elif kind == b"hash" and key.endswith(b"unacked"):
                for value in client.hvals(key):
                    message, _, queue = json.loads(value)
                    name = key.removesuffix(b"unacked") + queue.encode()
                    queues.setdefault(name, []).append(json.dumps(message).encode())
        for queue, messages in queues.items():
            for message in messages:
                for _ in range(3):
                    client.lpush(queue, _with_fresh_tag(message, storm) if fresh else message)
                    copied += 1
    if not copied:
        storm.notes.append("copy_messages: there was no message to copy")
    blow.recovered(storm.until_moved(blow.open, blow.began, "copy_messages"))


def pause_engine(storm: Storm) -> None:
    """Pause and unpause, slowly (nothing may begin meanwhile) or twice within a second; counted from the unpause."""
    held = storm.await_held()
    blow = _Blow(storm, "pause_engine", len(held))
    if storm.random.random() < 0.5:
        for paused in (True, False, True, False):
            _set_paused(storm, paused)
            time.sleep(storm.random.uniform(0.05, 0.2))
    else:
        _set_paused(storm, True)
        storm.until(lambda: _status(storm).get("global_status") == "PAUSED", blow.began, "pause_engine: PAUSED", 30)
        quiet = time.time()
        storm.plant.wait(lambda: False, storm.random.uniform(0.5, 1.5))
        begun = [line for line in storm.journal() if line["what"] == "begin" and line["at"] > quiet]
        if begun:
            storm.violations.append(f"pause_engine: steps began while PAUSED was shown: {begun}")
        _set_paused(storm, False)
    blow.recovered(storm.until_moved(blow.open, time.time(), "pause_engine"))


def cut_network(storm: Storm) -> None:
    """A worker's network is cut without a FIN, until others have taken over its steps; then it is healed."""
    network = storm.plant.network
    assert network is not None
    place = storm.plant.cut_worker()
    for _ in range(_TRIES):
        storm.await_held(lambda held: held.pid in place.children())
        children = place.children()
        if not storm.may_die(_held_by(storm, children)):
            continue
        network.cut()
        try:
            time.sleep(0.1)
            struck = _held_by(storm, children)
            if not struck:
                continue  # it was recorded just before
            blow = _Blow(storm, "cut_network", len(struck))
            recovery = storm.until_moved(spots_of(struck), blow.began, "cut_network")
            storm.plant.wait(lambda: False, storm.random.uniform(0, 2))
        finally:
            network.heal()
        # Calls that were on their way are made again for as long as it takes to notice.
        return blow.recovered(recovery, frozenset(children), time.time() + _NOTICED)
    raise NoTargetError


FAULTS: Final[dict[str, Callable[[Storm], None]]] = {
    fault.__name__: fault
    for fault in (
        kill_child,
        kill_worker,
        sigterm_worker,
        stop_worker,
        kill_clock,
        sigterm_clock,
        stop_clock,
        kill_web,
        restart_postgresql,
        restart_broker,
        flush_broker,
        copy_messages,
        pause_engine,
        cut_network,
    )
}


def answers(url: str) -> bool:
    """Whether the API answers."""
    try:
        return httpx.get(f"{url}/api/health/live", timeout=1).is_success
    except httpx.TransportError:
        return False


def _a_worker(storm: Storm) -> Place:
    """A worker that has a step claimed just now."""
    for _ in range(_TRIES):
        held = storm.await_held()
        places = {place.name: place for each in held if (place := storm.plant.worker_of(each.pid)) is not None}
        if places:
            return places[storm.pick(places)]
    raise NoTargetError


def _frozen(pids: list[int], storm: Storm) -> list[Held]:
    """Stop these, so that nothing changes any more, and see what they hold."""
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    return _held_by(storm, set(pids))


def _held_by(storm: Storm, pids: set[int]) -> list[Held]:
    time.sleep(0.02)  # statements that were on their way reach the server
    return [each for each in storm.sight.held() if each.pid in pids]


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


def _end_leader(storm: Storm, kind: str, number: signal.Signals) -> None:
    held = storm.await_held()
    place, backend = _leader(storm)
    blow = _Blow(storm, kind, len(held))
    os.kill(place.main, number)
    blow.recovered(storm.until(_another_leads(storm, backend), blow.began, f"{kind}: another clock leads"))


def _with_fresh_tag(message: bytes, storm: Storm) -> bytes:
    made: dict[str, Any] = json.loads(message)
    made["properties"]["delivery_tag"] = f"{storm.random.getrandbits(128):032x}"
    return json.dumps(made).encode()


def _status(storm: Storm) -> dict[str, Any]:
    answer: dict[str, Any] = httpx.get(f"{storm.plant.api_url}/api/settings/status", timeout=10).json()
    return answer


def _set_paused(storm: Storm, paused: bool) -> None:
    answer = httpx.put(f"{storm.plant.api_url}/api/settings/status", json={"global_lock": paused}, timeout=10)
    if not answer.is_success:
        storm.violations.append(f"pause_engine: answered {answer.status_code}: {answer.text[:300]}")
