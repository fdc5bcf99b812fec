"""Ringing with a real broker: there, frozen, gone, and back."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import redis

from orchestrator.embedded.data_folder import DataFolder
from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.engine.bell import Ring
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from orchestrator.tasks.bell import CeleryBell

RING = Ring(1, uuid4(), "a_workflow", "a_step", "CREATE", False)
TASK = Ring(2, uuid4(), "a_task", "a_step", "SYSTEM", True)
CHECK = Ring(3, uuid4(), "a_check", "a_step", "VALIDATE", True)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A Valkey of this test's own."""
    with DataFolder(tmp_path / "data") as data:
        server = ValkeyServer(data)
        try:
            server.begin()
            server.wait_until_ready()
            yield server
        finally:
            server.stop()


@pytest.fixture
def bell(broker: ValkeyServer) -> CeleryBell:
    settings = Settings(broker_url=broker.url, target_queues={"VALIDATE": "checks"})
    return CeleryBell(build_application(settings), settings)


def quickly(ask: Callable[[], object]) -> object:
    """What is answered, within the seconds that nobody has to wait longer."""
    started = time.monotonic()
    answer = ask()
    assert time.monotonic() - started < 3
    return answer


def test_bells_are_counted_by_queue(bell: CeleryBell) -> None:
    assert bell.queued() == {"checks": 0, "tasks": 0, "workflows": 0}
    assert bell.ring([RING, TASK, RING, CHECK]) == 4
    assert bell.queued() == {"checks": 1, "tasks": 1, "workflows": 2}


def test_a_broker_that_is_frozen_or_gone_costs_seconds_and_is_rung_when_it_is_back(
    bell: CeleryBell, broker: ValkeyServer
) -> None:
    assert bell.ring([RING]) == 1
    assert broker._process is not None
    broker._process.send_signal(signal.SIGSTOP)
    try:
        assert quickly(lambda: bell.ring([RING, RING])) == 0
        assert quickly(bell.queued) is None
    finally:
        broker._process.send_signal(signal.SIGCONT)
    assert quickly(lambda: bell.ring([RING])) == 1
    broker.stop()
    assert quickly(lambda: bell.ring([RING, RING])) == 0
    assert quickly(bell.queued) is None
    broker.begin()
    broker.wait_until_ready()
    assert quickly(lambda: bell.ring([RING])) == 1
    assert bell.queued() is not None


def test_a_broker_that_is_full_is_no_error_of_who_rings(bell: CeleryBell, broker: ValkeyServer) -> None:
    assert bell.ring([RING]) == 1
    with redis.Redis.from_url("unix" + broker.url.removeprefix("redis+socket")) as client:
        client.config_set("maxmemory", "1")
        assert bell.ring([RING]) == 0
        assert bell.queued() == {"checks": 0, "tasks": 0, "workflows": 1}
        client.config_set("maxmemory", "0")
    assert bell.ring([RING]) == 1
