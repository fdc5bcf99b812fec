"""A RabbitMQ of a test's own: an ordinary process on free ports, with its data in a folder that is thrown away."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import pytest

from orchestrator.cli.demo import free_ports
from tests.end_to_end.running_system import folder_for_servers
from tests.end_to_end.up_on_test import clean_environment

# The program itself: what distributions put on the path insists on the user that their own server runs as.
PROGRAMS = Path("/usr/lib/rabbitmq/bin")
USER = "orchestrator"
PASSWORD = "se:cret/word"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


def require_rabbitmq() -> None:
    """Skip the test where RabbitMQ is not installed; with CI=true it fails."""
    if (PROGRAMS / "rabbitmq-server").exists() and shutil.which("epmd") is not None:
        return
    message = "RabbitMQ is not installed: apt-get install rabbitmq-server"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


class RabbitServer:
    """Started by whoever runs the tests, root or not. What it keeps outlives `stop`, but not the folder."""

    def __init__(self, folder: Path, erlang: str = "", **settings: str) -> None:
        """Nothing is started yet.

        Args:
            folder: an empty one.
            erlang: more words for the command that runs it.
            settings: lines of its rabbitmq.conf.
        """
        self._folder = folder
        self._log = folder / "server.log"
        self.vhost = "/work flows"
        self.port, self.tls_port, distribution_port, epmd_port = free_ports(4)
        self._process: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None
        for name in ("data", "log"):
            (folder / name).mkdir()
        lines = {
            "default_user": USER,
            "default_pass": PASSWORD,
            "default_vhost": self.vhost,
            "listeners.tcp.default": f"127.0.0.1:{self.port}",
            "disk_free_limit.absolute": "1MB",
            **settings,
        }
        (folder / "rabbitmq.conf").write_text("".join(f"{name} = {value}\n" for name, value in lines.items()))
        (folder / "enabled_plugins").write_text("[].\n")
        (folder / "rabbitmq-env.conf").touch()
        self._environment = clean_environment(
            HOME=str(folder),
            ERL_EPMD_ADDRESS="127.0.0.1",
            ERL_EPMD_PORT=str(epmd_port),
            RABBITMQ_CONFIG_FILE=str(folder / "rabbitmq.conf"),
            RABBITMQ_CONF_ENV_FILE=str(folder / "rabbitmq-env.conf"),
            RABBITMQ_DIST_PORT=str(distribution_port),
            RABBITMQ_ENABLED_PLUGINS_FILE=str(folder / "enabled_plugins"),
            RABBITMQ_LOGS="-",
            RABBITMQ_LOG_BASE=str(folder / "log"),
            RABBITMQ_MNESIA_BASE=str(folder / "data"),
            RABBITMQ_NODENAME=f"orchestrator-{self.port}@localhost",
            # One process that signals reach, and no schedulers that spin while they wait.
            RUNNING_UNDER_SYSTEMD="true",
            RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=f"+sbwt none +sbwtdcpu none +sbwtdio none +S 2:2 {erlang}",
        )

    @property
    def url(self) -> str:
        """Where it is, as Celery reads it, with the user who may do everything."""
        return self.url_with()

    def url_with(self, *, user: str = USER, password: str = PASSWORD, vhost: str = "", port: int = 0) -> str:
        """The same for somebody else, somewhere else."""
        where = f"127.0.0.1:{port or self.port}/{quote(vhost or self.vhost, '')}"
        return f"amqp://{quote(user, '')}:{quote(password, '')}@{where}"

    def listen_with_tls(self, host: str) -> Path:
        """Also listen on `tls_port`, from its next start on.

        Args:
            host: who it is, as certificates say it: `DNS:localhost`.

        Returns:
            the certificate, which is its own authority.
        """
        certificate, key = self._folder / "certificate.pem", self._folder / "key.pem"
        words = ("req", "-x509", "-nodes", "-newkey", "rsa:2048", "-days", "2", "-subj", "/CN=of tests")
        files = ("-addext", f"subjectAltName={host}", "-keyout", str(key), "-out", str(certificate))
        subprocess.run(["openssl", *words, *files], check=True, capture_output=True, timeout=60)
        with (self._folder / "rabbitmq.conf").open("a") as settings:
            settings.write(
                f"listeners.ssl.default = 127.0.0.1:{self.tls_port}\n"
                f"ssl_options.certfile = {certificate}\nssl_options.keyfile = {key}\n"
                f"ssl_options.cacertfile = {certificate}\nssl_options.verify = verify_none\n"
            )
        return certificate

    def move_to_new_vhost(self) -> None:
        """Begin anew, without queues, in a virtual host that nobody was in."""
        self.vhost = f"of test {uuid4()}"
        self.control("add_vhost", self.vhost)
        self.control("set_permissions", "--vhost", self.vhost, USER, ".*", ".*", ".*")

    def queues(self, *columns: str) -> list[list[str]]:
        """What there is to know of each queue of the virtual host."""
        found = self.control("list_queues", "--vhost", self.vhost, "--no-table-headers", "name", *columns)
        return sorted(line.split("\t") for line in found.splitlines())

    def begin(self) -> None:
        """Start it, with what it has kept."""
        self._names = self._run("epmd")
        self._process = self._run(str(PROGRAMS / "rabbitmq-server"))

    def wait_until_ready(self) -> None:
        """Wait until it takes connections."""
        assert self._process is not None
        deadline = time.monotonic() + _START_SECONDS
        while not self._answers():
            assert self._process.poll() is None, f"RabbitMQ ended:\n{self.last_words()}"
            assert time.monotonic() < deadline, f"RabbitMQ does not answer:\n{self.last_words()}"
            time.sleep(0.1)

    def send_signal(self, number: int) -> None:
        """Send a signal to the server."""
        assert self._process is not None
        self._process.send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> None:
        """End it, by this signal."""
        for process, sent in ((self._process, number), (self._names, signal.SIGKILL)):
            if process is not None:
                process.send_signal(signal.SIGCONT)
                process.send_signal(sent)
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self._process = self._names = None

    def control(self, *words: str) -> str:
        """What `rabbitmqctl` says."""
        command = [str(PROGRAMS / "rabbitmqctl"), "--quiet", *words]
        done = subprocess.run(command, env=self._environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def version(self) -> tuple[int, ...]:
        """Which release it is of."""
        return tuple(int(part) for part in self.control("version").strip().split(".")[:2])

    def last_words(self) -> str:
        """The end of its log."""
        return self._log.read_text(errors="replace")[-4_000:]

    def _run(self, program: str) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as output:
            return subprocess.Popen(
                [program],
                env=self._environment,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return connection.recv(1) == b"\x01"
        except OSError:
            return False


@contextmanager
def rabbitmq_server(erlang: str = "", **settings: str) -> Iterator[RabbitServer]:
    """One that is ready, until the end of this."""
    require_rabbitmq()
    with folder_for_servers() as folder:
        server = RabbitServer(folder, erlang, **settings)
        try:
            server.begin()
            server.wait_until_ready()
            yield server
        finally:
            server.stop()
