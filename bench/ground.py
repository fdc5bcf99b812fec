"""What all contenders stand on: one PostgreSQL and one Valkey on disk, and an environment of its own for each peer."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import click
import psycopg
import redis
from psycopg import sql
from sqlalchemy import make_url

from orchestrator.cli.demo import free_ports
from orchestrator.embedded import postgresql
from orchestrator.embedded.child_processes import spawn
from orchestrator.embedded.machine import embedded_machine

REPOSITORY = Path(__file__).parents[1]
PEERS = REPOSITORY / ".bench"
_STAND_IN = Path(__file__).parent / "extension"


@dataclass
class Ground:
    """The servers, and a folder for logs. Databases are made for each measurement and dropped after it."""

    folder: Path
    database_url: str
    broker_url: str
    _numbers: Iterator[int] = field(default_factory=lambda: count(1))

    @contextmanager
    def new_database(self, template: str | None = None) -> Iterator[str]:
        """A database of its own, empty or a copy; its URL."""
        name = f"bench_{next(self._numbers)}"
        made = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template is not None:
            made += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
        self._execute(made)
        try:
            yield self.url_of(name)
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def url_of(self, name: str) -> str:
        """The URL of a database of this server."""
        return make_url(self.database_url).set(database=name).render_as_string(hide_password=False)

    def broker(self) -> redis.Redis:
        """A client of the broker."""
        return redis.Redis.from_url(self.broker_url)

    def empty_broker(self) -> None:
        """Forget all messages."""
        with self.broker() as client:
            client.flushall()

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(statement)


@contextmanager
def ground() -> Iterator[Ground]:
    """Start the servers in a folder on disk: everything is as durable as in production."""
    PEERS.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="ground-", dir=PEERS))
    try:
        with _postgresql_on_loopback() as port, embedded_machine(folder / "data") as machine:
            url = make_url(machine.addresses.database_url).set(host="127.0.0.1", port=port, query={})
            broker = _valkey_on_loopback(machine.addresses.broker_url)
            here = Ground(folder, url.render_as_string(hide_password=False), broker)
            _add_extension(here)
            yield here
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _postgresql_on_loopback() -> Iterator[int]:
    # Peers cannot be told of a socket of Unix: all go through the loopback interface.
    (port,) = free_ports(1)
    before = postgresql._SETTINGS, postgresql.PORT
    postgresql._SETTINGS, postgresql.PORT = before[0] | {"listen_addresses": "127.0.0.1"}, port
    try:
        yield port
    finally:
        postgresql._SETTINGS, postgresql.PORT = before


def _valkey_on_loopback(socket_url: str) -> str:
    (port,) = free_ports(1)
    with redis.Redis.from_url("unix" + socket_url.removeprefix("redis+socket")) as client:
        client.config_set("bind", "127.0.0.1")
        client.config_set("port", port)
    secret = socket_url.partition("://:")[2].partition("@")[0]
    return f"redis://:{secret}@127.0.0.1:{port}/0"


def _add_extension(here: Ground) -> None:
    # orchestrator-core asks for uuid-ossp, which the wheel's PostgreSQL lacks.
    with psycopg.connect(here.database_url, autocommit=True) as connection:
        path = f"$system:{_STAND_IN.parent}"
        connection.execute(sql.SQL("ALTER SYSTEM SET extension_control_path = {}").format(sql.Literal(path)))
        connection.execute("SELECT pg_reload_conf()")


def environment(**more: str) -> dict[str, str]:
    """The environment of a contender's process: nothing of this shell's settings, and Python unbuffered."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ORCHESTRATOR_", "FLOWER_"))}
    return kept | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(REPOSITORY)} | more


def peer_python(name: str, *requirements: str) -> Path:
    """The Python of a peer's own environment, made from PyPI when it is first needed.

    Raises:
        RuntimeError: it could not be installed; with what pip said.
    """
    folder = PEERS / name
    python, mark = folder / "bin/python", folder / "installed"
    wanted = "\n".join(requirements)
    if not mark.exists() or mark.read_text() != wanted:
        click.echo(f"  {name} is being installed into {folder}")
        _run_quietly([REPOSITORY / ".ci/make-venv", sys.executable, folder], PEERS / f"{name}.log")
        _run_quietly([python, "-m", "pip", "install", *requirements], PEERS / f"{name}.log")
        mark.write_text(wanted)
    return python


def _run_quietly(command: list[str | Path], log: Path) -> None:
    # pip warns of much that is none of a reader's business, until it fails.
    with log.open("wb") as output:
        failed = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False).returncode
    if failed:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: {log.read_text()[-4000:]}")


@contextmanager
def program(
    command: list[str], log: Path, variables: Mapping[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """A process of a contender, killed with its children when it is no more needed: nothing of it is kept."""
    with log.open("ab") as output:
        process = spawn(command, environment=variables, death_signal=signal.SIGKILL, stdout=output, folder=folder)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@contextmanager
def halted(process: subprocess.Popen[bytes], *, wanted: bool) -> Iterator[None]:
    """Stop it and its children for a while, if that is wanted: a queue is filled, and nobody takes from it."""
    if not wanted:
        yield
        return
    os.killpg(process.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGCONT)


def wait_for(what: Callable[[], object], seconds: float, failure: str, pause: float = 0.02) -> None:
    """Look again and again until `what()` is true.

    Raises:
        TimeoutError: it did not come true.
    """
    deadline = time.monotonic() + seconds
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(failure)
        time.sleep(pause)
