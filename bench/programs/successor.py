"""Bare Celery: a task that sends its successor, ten times for each process."""

from __future__ import annotations

import os
import time

import redis
from celery import Celery

from bench.peers.orders import obey

STEPS = 10

application = Celery("successor", broker=os.environ["BENCH_BROKER_URL"])
application.conf.update(
    task_ignore_result=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_send_task_events=os.environ.get("BENCH_EVENTS") == "1",
    broker_connection_retry_on_startup=True,
)
_clients: dict[int, redis.Redis] = {}


def _journal() -> redis.Redis:
    pid = os.getpid()
    if pid not in _clients:
        _clients[pid] = redis.Redis.from_url(os.environ["BENCH_BROKER_URL"])
    return _clients[pid]


@application.task(name="successor.step")
def step(process: int, position: int, sent: float) -> None:
    """Do nothing, and send the next one. The first and the last note when."""
    if position == 0:
        _journal().rpush("begun", time.time())
    if position + 1 < STEPS:
        step.delay(process, position + 1, sent)
    else:
        now = time.time()
        _journal().rpush("ended", now)
        _journal().rpush("latencies", now - sent)


def send(processes: int) -> None:
    """Start so many."""
    for process in range(processes):
        step.delay(process, 0, time.time())


if __name__ == "__main__":
    obey(send)
