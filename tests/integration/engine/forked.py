"""A fork of the tests as a worker of its own.

`multiprocessing` is not used for it: after a fork it lets libraries clean up what they inherited, and kombu then waits
for ever on a connection that an earlier test has left behind.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ForkedProcess:
    """A child that does something and exits with 0, or with 1 when that raised."""

    def __init__(self, work: Callable[[], object]) -> None:
        self.exitcode: int | None = None
        self.pid = os.fork()
        if self.pid == 0:
            self._be_the_child(work)

    @staticmethod
    def _be_the_child(work: Callable[[], object]) -> None:
        status = 1
        try:
            work()
            status = 0
        except BaseException:  # noqa: BLE001 - a fork of the tests must not go on with them
            traceback.print_exc()
        finally:
            os._exit(status)

    def join(self, seconds: float) -> None:
        """Wait for its end, at most so long; then `exitcode` is set, negative for a signal."""
        deadline = time.monotonic() + seconds
        while self.exitcode is None and time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.exitcode = os.waitstatus_to_exitcode(status)
            else:
                time.sleep(0.01)

    def kill(self) -> None:
        """End it, if it has not ended."""
        if self.exitcode is None:
            os.kill(self.pid, signal.SIGKILL)
            self.join(30)


@contextmanager
def another_process(work: Callable[[], object]) -> Iterator[ForkedProcess]:
    """A process of its own that does this, and is gone afterwards."""
    made = ForkedProcess(work)
    try:
        yield made
    finally:
        made.kill()
