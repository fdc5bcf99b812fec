"""Celery's prefork pool, with fewer messages between a worker's main process and its children.

Celery's children say of each task that they begin it, and then how it ended; its main process asks the system at each
turn of its event loop whether it may write to a child. Here a task is written to a child that has nothing else to do,
at once, and with that it has begun. What Celery knows of a task, and what it does for it when its child dies, is
told to stop or exceeds a limit, stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import monotonic
from typing import Any

from billiard.pool import ACK, RUN
from celery.concurrency import asynpool, prefork

# The stubs leave out what is inside.
_asynpool: Any = asynpool
_CelerysPool: Any = _asynpool.AsynPool
_CelerysResults: Any = _asynpool.ResultHandler
_CelerysChild: Any = _asynpool.Worker


class _Said:
    """What a child says to the main process, without that it begins a task."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    def put(self, message: tuple[Any, ...]) -> None:
        if message[0] != ACK:
            self._queue.put(message)


class _Child(_CelerysChild):  # type: ignore[misc]
    outq: Any

    def on_loop_start(self, pid: int) -> None:
        super().on_loop_start(pid)
        self.outq = _Said(self.outq)


class _Results(_CelerysResults):  # type: ignore[misc]
    def _recv_message(self, add_reader: Callable[..., None], fd: int, callback: Any) -> Iterator[None]:
        # Celery says anew after each message that it reads from this child.
        def once(descriptor: int, reader: Any, *args: Any) -> None:
            if self._hub.readers.get(descriptor) != (reader, args):
                add_reader(descriptor, reader, *args)

        yield from super()._recv_message(once, fd, callback)


class _Pool(_CelerysPool):  # type: ignore[misc]
    Worker = _Child
    ResultHandler = _Results
    on_poll_start: Callable[[], None]
    _quick_put: Callable[[tuple[Any, ...]], None]

    def __init__(self, *args: Any, **options: Any) -> None:
        # Of Celery's two ways the one that gives no task to a child that has one.
        super().__init__(*args, **{**options, "sched_strategy": _asynpool.SCHED_STRATEGY_FAIR})

    def _create_write_handlers(self, hub: Any, **options: Any) -> None:
        super()._create_write_handlers(hub, **options)
        to_write, put, write = self.on_poll_start, self._quick_put, hub.consolidate_callback

        def write_and_begin(descriptors: list[int]) -> None:
            write(descriptors)
            self._begin_written()

        def put_and_write(job: tuple[Any, ...]) -> None:
            put(job)
            idle = self._all_inqueues - self._busy_workers - self._active_writes
            if idle:
                write_and_begin(list(idle))

        def on_poll_start() -> None:
            if self.outbound_buffer or not hub.consolidate.isdisjoint(self._all_inqueues):
                to_write()

        self.on_poll_start, self._quick_put, hub.consolidate_callback = on_poll_start, put_and_write, write_and_begin

    def _begin_written(self) -> None:
        for job in list(self._cache.values()):
            if job._write_to is not None and not job._accepted:
                self._result_handler.state_handlers[ACK](job._job, None, monotonic(), job._write_to.pid, None)

    def on_job_process_down(self, job: Any, pid_gone: int) -> None:
        """What a child has ended without reading has not begun after all."""
        if job._accepted and self._state == RUN and _is_unread(job):
            self.on_timeout_cancel(job)
            job._accepted, job._worker_pid = False, None
        super().on_job_process_down(job, pid_gone)

    def on_job_process_lost(self, job: Any, pid: int, exitcode: int) -> None:
        """What has not begun goes to another child."""
        if job._accepted:
            super().on_job_process_lost(job, pid, exitcode)

    def on_partial_read(self, job: Any, proc: Any) -> None:
        super().on_partial_read(job, proc)
        if not job._accepted:
            # It waits, and begins when it is written anew.
            job._write_to = job._scheduled_for = None


def _is_unread(job: Any) -> bool:
    child = job._write_to
    if child.dead or child._is_alive():
        return False
    writer = job._writer()
    # Not all of it was written, or something of it is left in the pipe.
    return writer is not None or bool(child.inq._reader.poll(0))


class TaskPool(prefork.TaskPool):
    """The pool that `worker_pool` names."""

    Pool = _Pool
