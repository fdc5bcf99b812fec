"""The folder of one embedded machine: its lock, its secrets, and a place for short socket paths."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from orchestrator.errors import AlreadyRunningError, DataFolderError

NOBODY = 65534
_SOCKET_PATH_LIMIT = 100  # bytes; the kernel allows 107, PostgreSQL and others a little less
_LONGEST_SOCKET_NAME = "/.s.PGSQL.5432.lock"
# What may stand in every URL that names a socket without being quoted.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._-]+")


class DataFolder:
    """A folder that one `up` holds at a time.

    Entering makes it (mode 0700) and takes its lock, leaving gives the lock back. The lock belongs to the open
    file, so a process that was killed holds nothing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self._lock: int | None = None

    def __enter__(self) -> Self:
        """Make and lock the folder.

        Raises AlreadyRunningError when another process holds it, DataFolderError when it cannot be used.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._check_owner()
            self.path.chmod(0o700)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataFolderError(f"The data folder {self.path} cannot be used: {error.strerror}.") from error
        if not _take(lock):
            holder = os.read(lock, 32).decode(errors="replace").strip()
            os.close(lock)
            raise AlreadyRunningError(
                f"An orchestrator is already running on {self.path} (process {holder or 'unknown'})."
            )
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _check_owner(self) -> None:
        owner = self.path.stat().st_uid
        if owner not in ({0, NOBODY} if os.geteuid() == 0 else {os.geteuid()}):
            raise DataFolderError(
                f"The data folder {self.path} belongs to user {owner}; start as that user or name another folder."
            )

    def secret(self, name: str) -> str:
        """Return the random secret of that name (43 URL-safe characters), made once and kept with mode 0600."""
        file = self.path / name
        if not file.exists():
            self.write_private(name, secrets.token_urlsafe(32))
        return file.read_text().strip()

    def write_private(self, name: str, text: str) -> None:
        """Write a file of mode 0600, whole or not at all."""
        draft = self.path / f"{name}.new"
        draft.unlink(missing_ok=True)
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        draft.rename(self.path / name)

    def is_held(self) -> bool:
        """Whether some process holds the lock of this folder."""
        try:
            lock = os.open(self.path / "lock", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def secret_key(self) -> str:
        """Return the key that signs what the application hands out."""
        return self.secret("secret_key")

    def socket_folder(self) -> Path:
        """Return a folder of mode 0700 whose sockets have a short and plain path.

        It lies inside the data folder where that path allows it, else under /tmp; the folder under /tmp is
        remembered, so that a restart finds it again.
        """
        inside = self.path / "run"
        if _fits(inside):
            inside.mkdir(mode=0o700, exist_ok=True)
            return inside
        memory = self.path / "socket_folder"
        if memory.exists():
            remembered = Path(memory.read_text().strip())
            if _is_ours(remembered, self.path.stat().st_uid):
                return remembered
        made = Path(tempfile.mkdtemp(prefix="orchestrator-", dir="/tmp"))
        memory.write_text(f"{made}\n")
        return made

    def forget_socket_folder(self) -> None:
        """Remove the folder under /tmp, if there is one; to be called when nothing listens in it any more."""
        memory = self.path / "socket_folder"
        if memory.exists():
            remembered = Path(memory.read_text().strip())
            if _is_ours(remembered, self.path.stat().st_uid):
                shutil.rmtree(remembered, ignore_errors=True)
            memory.unlink()


def open_log(file: Path, limit: int = 10_000_000) -> IO[bytes]:
    """Open a log for appending, mode 0600; one that has grown past `limit` bytes is put aside as `.old`."""
    if file.exists() and file.stat().st_size > limit:
        file.rename(file.with_suffix(".old"))
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def last_words(file: Path, lines: int = 5) -> str:
    """Return the end of a log, for an error message."""
    said = file.read_text(errors="replace").splitlines()[-lines:] if file.exists() else []
    return "\n".join([f"The end of {file}:", *said])


def _take(lock: int) -> bool:
    for _ in range(3):  # `is_held` of another process holds it for a moment
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.03)
        else:
            return True
    return False


def _fits(folder: Path) -> bool:
    path = f"{folder}{_LONGEST_SOCKET_NAME}"
    return len(path.encode()) < _SOCKET_PATH_LIMIT and _PLAIN_PATH.fullmatch(path) is not None


def _is_ours(folder: Path, owner: int) -> bool:
    try:
        found = folder.lstat()
    except OSError:
        return False
    mine = found.st_uid in (owner, os.geteuid())
    return stat.S_ISDIR(found.st_mode) and mine and stat.S_IMODE(found.st_mode) == 0o700
