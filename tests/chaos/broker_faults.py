"""Faults of the broker. They strike while steps run and others wait for a worker, so that there are bells to lose."""

from __future__ import annotations

import json
import os
import signal
import time
from typing import Any

import httpx

from tests.chaos.blow import Blow
from tests.chaos.storm import NoTargetError, Storm

_LONGEST_START = 10.0


def restart_broker(storm: Storm) -> None:
    """Stop Valkey, well or by force, start a process meanwhile, and start it again.

    From its return until everything that was open has gone on.
    """
    storm.await_queue()
    blow = Blow(storm, "restart_broker")
    if storm.other_way:
        with storm.plant.broker() as client:
            os.kill(int(client.info("server")["process_id"]), signal.SIGKILL)
        storm.plant.wait(lambda: not storm.plant.valkey.is_running, 10)
    storm.plant.valkey.stop()
    if storm.may_start():
        before = time.monotonic()
        answer = storm.start_next(2 * _LONGEST_START)
        took = time.monotonic() - before
        if answer is None or answer.status_code != httpx.codes.CREATED or took > _LONGEST_START:
            storm.violations.append(f"restart_broker: a start without a broker: {answer} after {took:.1f} s")
    storm.plant.wait(lambda: False, storm.dice.uniform(0.2, 2))
    storm.plant.start_broker()
    blow.recovered(storm.until_moved(blow.open, time.time(), "restart_broker"))


def flush_broker(storm: Storm) -> None:
    """FLUSHALL: every message and all that Celery keeps there is gone; until everything that was open has gone on."""
    storm.await_queue()
    with storm.plant.broker() as client:
        blow = Blow(storm, "flush_broker")
        if not _messages(client):
            raise NoTargetError
        client.flushall()
    blow.recovered(storm.until_moved(blow.open, blow.began, "flush_broker"))


def copy_messages(storm: Storm) -> None:
    """Three copies of every message, those in work included, with the same or with fresh delivery tags.

    Until everything that was open has gone on.
    """
    storm.await_queue()
    with storm.plant.broker() as client:
        blow = Blow(storm, "copy_messages")
        found = _messages(client)
        if not found:
            raise NoTargetError
        for queue, message in found:
            for _ in range(3):
                client.lpush(queue, _with_fresh_tag(message, storm) if storm.other_way else message)
    blow.recovered(storm.until_moved(blow.open, blow.began, "copy_messages"))


def _messages(client: Any) -> list[tuple[bytes, bytes]]:
    """Every message with the queue that it belongs to, also those that a worker has in work."""
    found: list[tuple[bytes, bytes]] = []
    for key in client.keys("*"):
        kind = client.type(key)
        if kind == b"list":
            found += [(key, message) for message in client.lrange(key, 0, -1)]
        elif kind == b"hash" and key.endswith(b"unacked"):
            for value in client.hvals(key):
                message, _, queue = json.loads(value)
                found.append((key.removesuffix(b"unacked") + queue.encode(), json.dumps(message).encode()))
    return found


def _with_fresh_tag(message: bytes, storm: Storm) -> bytes:
    made: dict[str, Any] = json.loads(message)
    made["properties"]["delivery_tag"] = f"{storm.dice.getrandbits(128):032x}"
    return json.dumps(made).encode()
