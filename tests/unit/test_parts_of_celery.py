"""Our pool and our transport rest on how Celery, kombu and billiard are written inside."""

from __future__ import annotations

import inspect
from hashlib import sha256
from typing import Any

import pytest
from billiard import pool
from celery.concurrency import asynpool, prefork
from kombu.asynchronous.hub import Hub
from kombu.transport import redis, virtual

_CelerysPool: Any = asynpool.AsynPool
_Results: Any = asynpool.ResultHandler

KNOWN = {
    "celery: jobs are written": (_CelerysPool._create_write_handlers, "f5f9b8dc805b"),
    "celery: a child is down": (_CelerysPool.on_job_process_down, "ac53c414f342"),
    "celery: a child is lost": (_CelerysPool.on_job_process_lost, "a73c9f79cc20"),
    "celery: with the event loop": (_CelerysPool.register_with_event_loop, "d4b2530818da"),
    "celery: results are read": (_Results._recv_message, "b6e78ecaed72"),
    "celery: a pool is made": (prefork.TaskPool.on_start, "7fcf20251a65"),
    "billiard: a child's loop": (pool.Worker.workloop, "ce4a856cce2b"),
    "billiard: a child": (pool.Worker.__call__, "7ac3400e5a1c"),
    "billiard: results are heard": (pool.ResultHandler._make_methods, "9b6ed6767639"),
    "billiard: children are joined": (pool.Pool._join_exited_workers, "c9b857c8a798"),
    "billiard: a job": (pool.ApplyResult, "0e0753f51fd2"),
    "kombu: messages are noted": (redis.QoS, "2a3e5c43dc03"),
    "kombu: messages are kept": (virtual.QoS, "f884d8db8d64"),
    "kombu: a channel is closed": (redis.Channel.close, "101e9b9cdad4"),
    "kombu: with the event loop": (redis.Transport.register_with_event_loop, "4b835642e4a9"),
    "kombu: the event loop": (Hub.add, "d075cbe67233"),
}


@pytest.mark.parametrize("part", KNOWN)
def test_a_part_that_ours_rests_on_is_as_it_was_read(part: str) -> None:
    written, known = KNOWN[part]
    digest = sha256(inspect.getsource(written).encode()).hexdigest()[:12]
    assert digest == known, (
        f"{part}: {written.__module__}.{written.__qualname__} has changed. Read what orchestrator/tasks/prefork.py, "
        f"transport.py and notes.py make of it, and write {digest} here."
    )
