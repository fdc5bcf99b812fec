"""Start child processes that end with their parent, as a user that the program accepts."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, assert_never

_CLONE_NEWUSER = 0x10000000
_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


@dataclass(frozen=True)
class SameUser:
    """Run as the user that we are."""


@dataclass(frozen=True)
class UserNamespace:
    """Run in a user namespace of its own: files stay ours, the program sees a plain user (65534)."""


@dataclass(frozen=True)
class OtherUser:
    """Run as another user; only root can give that."""

    uid: int
    gid: int


RunAs = SameUser | UserNamespace | OtherUser


def spawn(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    death_signal: signal.Signals,
    run_as: RunAs | None = None,
    folder: Path | None = None,
    stdin: int | IO[bytes] | None = subprocess.DEVNULL,
    stdout: int | IO[bytes] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own; standard error goes where standard output goes.

    `death_signal` reaches it when the calling *thread* ends however it ends (Linux; elsewhere nothing is sent),
    so call this from a thread that lives as long as the program should.
    """
    parent = os.getpid()
    become = _becoming(run_as or SameUser())
    die_with_parent = _dying_with(parent, death_signal)

    def prepare() -> None:
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):  # a shell's background job ignores some
            signal.signal(number, signal.SIG_DFL)
        become()
        # After the change of user: the kernel forgets the death signal when credentials change.
        die_with_parent()

    return subprocess.Popen(
        [str(word) for word in command],
        env=dict(environment),
        cwd=folder,
        stdin=stdin,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=prepare,  # noqa: PLW1509 - it takes no lock
    )


def _becoming(run_as: RunAs) -> Callable[[], None]:
    match run_as:
        case SameUser():
            return lambda: None
        case UserNamespace():
            libc = ctypes.CDLL(None, use_errno=True)

            def unshare() -> None:
                if libc.unshare(_CLONE_NEWUSER) != 0:
                    raise OSError(ctypes.get_errno(), "user namespaces are refused")

            return unshare
        case OtherUser(uid, gid):

            def drop() -> None:
                os.setgroups([])
                os.setgid(gid)
                os.setuid(uid)

            return drop
        case _:
            assert_never(run_as)


def _dying_with(parent: int, death_signal: signal.Signals) -> Callable[[], None]:
    if sys.platform != "linux":
        return lambda: None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def die_with_parent() -> None:
        prctl(_PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before we asked to be told
            os._exit(1)

    return die_with_parent


def die_with_parent(parent: int, death_signal: signal.Signals) -> None:
    """Have this very process receive `death_signal` when `parent` ends (Linux; elsewhere nothing happens)."""
    _dying_with(parent, death_signal)()


def user_namespaces_allowed() -> bool:
    """Try in a short-lived child whether the kernel gives us a user namespace."""
    if sys.platform != "linux":
        return False
    unshare = _becoming(UserNamespace())
    pid = os.fork()
    if pid == 0:
        try:
            unshare()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(pid, 0)[1] == 0


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends (Linux; elsewhere nothing happens)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def children_of(pid: int) -> list[int]:
    """List the direct children of a process, dead ones that nobody waited for included (Linux; elsewhere empty)."""
    found: list[int] = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(stat.parent.name))
    return found
