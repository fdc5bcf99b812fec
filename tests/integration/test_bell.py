"""Ringing with a real broker: there, frozen, gone, and back."""

from __future__ import annotations

import json
import os
import signal
import time
from base64 import b64decode
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from uuid import uuid4

import pytest
import redis

from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.engine.bell import Ring
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from orchestrator.tasks.bell import MESSAGE_VERSION, RUN_STEP, CeleryBell

RING = Ring(1, uuid4(), "a_workflow", "a_step", "CREATE", False)
TASK = Ring(2, uuid4(), "a_task", "a_step", "SYSTEM", True)
CHECK = Ring(3, uuid4(), "a_check", "a_step", "VALIDATE", True)


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


def test_a_bell_is_the_message_that_celery_would_send(broker: ValkeyServer) -> None:
    settings = Settings(broker_url=broker.url)
    application = build_application(settings)
    CeleryBell(application, settings).ring([RING])
    application.send_task(
        RUN_STEP,
        kwargs={"seq": RING.seq, "v": MESSAGE_VERSION},
        queue="workflows",
        shadow="a_workflow/a_step",
        argsrepr="()",
        kwargsrepr=f"workflow=a_workflow, step=a_step, process_id={RING.process_id}",
        ignore_result=True,
    )
    with redis.Redis.from_url("unix" + broker.url.removeprefix("redis+socket")) as client:
        theirs, ours = (json.loads(one) for one in client.lrange("orchestrator:workflows", 0, -1))
    for message in (theirs, ours):
        message["body"] = json.loads(b64decode(message["body"]))
        assert message["headers"]["id"] == message["headers"]["root_id"] == message["properties"]["correlation_id"]
        # Nobody replies; what Flower shows stands in the headers.
        for of_one in ("delivery_tag", "correlation_id", "reply_to", "argsrepr", "kwargsrepr"):
            message["properties"].pop(of_one, None)
        del message["headers"]["id"], message["headers"]["root_id"]
    assert ours == theirs


def _ring_in_parent_and_child(settings: Settings) -> list[int]:
    bell = CeleryBell(build_application(settings), settings)
    rung = [bell.ring([RING])]
    for _ in range(2):
        child = os.fork()
        if child == 0:
            os._exit(bell.ring([RING, RING]))
        rung += [bell.ring([RING]), os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])]
    return rung


def test_a_child_rings_over_a_connection_of_its_own(broker: ValkeyServer) -> None:
    settings = Settings(broker_url=broker.url)
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:  # it forks where no other thread runs
        assert pool.submit(_ring_in_parent_and_child, settings).result() == [1, 1, 2, 1, 2]
    assert CeleryBell(build_application(settings), settings).queued() == {"tasks": 0, "workflows": 7}
