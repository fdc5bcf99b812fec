"""A small parent process that sees to it that nothing outlives the work, however the work ends."""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType

from orchestrator.embedded.child_processes import adopt_orphans, children_of, die_with_parent

_PATIENCE = 5.0  # seconds for servers to end well whose parent was killed
_SHORT_PATIENCE = 0.5  # seconds for what an orderly end left behind


def continue_under_guard() -> None:
    """Go on in a child process, in a session of its own; the caller's process stays behind as its guard.

    The guard hands on SIGINT, SIGTERM, SIGHUP and SIGQUIT, adopts and in the end kills every descendant that is
    left (Linux), and exits as the child does. When the guard itself is killed, the child receives SIGTERM. In the
    child SIGTERM and SIGHUP raise KeyboardInterrupt until somebody sets another handler, so that `finally` runs.

    Call it early, from the main thread, before anything is opened that two processes must not share.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    guard = os.getpid()
    adopt_orphans()
    child = os.fork()
    if child:
        os._exit(_guard(child))
    os.setsid()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    die_with_parent(guard, signal.SIGTERM)


def _guard(child: int) -> int:
    def hand_on(number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:  # as nohup leaves it
            signal.signal(number, hand_on)
    while True:
        pid, status = os.wait()
        if pid == child:
            break
    code = os.waitstatus_to_exitcode(status)
    _clear_away(_PATIENCE if code < 0 else _SHORT_PATIENCE)
    return code if code >= 0 else 128 - code


def _clear_away(seconds: float) -> None:
    """Wait for all descendants that are left, and kill those that take longer than that."""
    patience = time.monotonic() + seconds
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid:
            continue
        if time.monotonic() > patience:
            for left in children_of(os.getpid()):
                with suppress(ProcessLookupError):
                    os.kill(left, signal.SIGKILL)
        time.sleep(0.02)
