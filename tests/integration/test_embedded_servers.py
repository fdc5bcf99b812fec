"""Real servers in data folders of their own."""

import json
import os
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent

import psutil
import psycopg
import pytest
import redis
from kombu import Connection
from redis.backoff import NoBackoff
from redis.retry import Retry

from orchestrator.embedded.data_folder import DataFolder
from orchestrator.embedded.machine import embedded_machine, running_addresses
from orchestrator.embedded.ports import check_port_is_free
from orchestrator.embedded.postgresql import PostgresqlServer
from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.errors import AlreadyRunningError, DataFolderError, EmbeddedServerError, PortTakenError

pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A path as short as a user's would be; pytest's own are long."""
    with TemporaryDirectory(dir="/tmp") as place:
        yield Path(place) / "data"


@pytest.fixture(scope="module")
def made_once() -> Iterator[Path]:
    """A data folder with a database, stopped."""
    with TemporaryDirectory(dir="/tmp") as place:
        with embedded_machine(Path(place) / "data"):
            pass
        yield Path(place) / "data"


def servers_of(folder: Path) -> list[psutil.Process]:
    """The main processes of the servers of this folder alone; other tests have theirs."""
    return [process for process in psutil.Process().children() if folder in Path(process.cwd()).parents]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def use(database_url: str, broker_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("CREATE TABLE notes AS SELECT 'kept' AS note")
    with Connection(broker_url) as connection:
        queue = connection.SimpleQueue("kept")
        queue.put({"note": "kept"})
        queue.close()


def test_data_outlives_a_restart(folder: Path) -> None:
    with embedded_machine(folder) as machine:
        first = machine.addresses
        use(first.database_url, first.broker_url)
    with embedded_machine(folder) as machine:
        assert machine.addresses == first
        with psycopg.connect(first.database_url) as connection:
            assert connection.execute("SELECT note, current_database() FROM notes").fetchall() == [
                ("kept", "orchestrator")
            ]
        with Connection(first.broker_url) as connection:
            assert connection.SimpleQueue("kept").get(timeout=2).payload == {"note": "kept"}
        assert len(servers_of(folder)) == 2
    assert servers_of(folder) == []


def test_nothing_is_open_to_others(made_once: Path) -> None:
    with embedded_machine(made_once) as machine:
        sockets = made_once / "run"
        assert [mode(made_once), mode(sockets), mode(made_once / "postgresql")] == [0o700] * 3
        files = [path for path in made_once.iterdir() if path.is_file()]
        assert {path.name: mode(path) for path in files} == {path.name: 0o600 for path in files}
        assert len(servers_of(made_once)) == 2
        for server in servers_of(made_once):
            assert [each for each in server.net_connections(kind="inet") if each.status == psutil.CONN_LISTEN] == []
            assert not any(secret in " ".join(server.cmdline()) for secret in machine.addresses.broker_url.split(":@"))
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(f"postgresql://orchestrator:guess@/orchestrator?host={sockets}")
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(unix_socket_path=str(sockets / "valkey.sock"), retry=Retry(NoBackoff(), 0)).ping()


def test_servers_keep_what_the_engine_relies_on(made_once: Path) -> None:
    with embedded_machine(made_once) as machine:
        with psycopg.connect(machine.addresses.database_url) as connection:
            shown = {
                name: connection.execute(f"SHOW {name}").fetchone()
                for name in ("client_connection_check_interval", "fsync", "server_encoding", "data_checksums")
            }
        with Connection(machine.addresses.broker_url) as connection:
            configured = connection.default_channel.client.config_get("*")
    assert shown == {
        "client_connection_check_interval": ("500ms",),
        "fsync": ("on",),
        "server_encoding": ("UTF8",),
        "data_checksums": ("on",),
    }
    assert (configured["appendonly"], configured["maxmemory-policy"]) == ("yes", "noeviction")


def test_a_second_start_says_that_one_is_running(made_once: Path) -> None:
    with DataFolder(made_once):
        sentence = rf"already running on {made_once} \(process {os.getpid()}\)"
        with pytest.raises(AlreadyRunningError, match=sentence), embedded_machine(made_once):
            pass


def test_a_lock_file_of_a_dead_process_does_not_matter(folder: Path) -> None:
    holder = subprocess.run(
        [sys.executable, "-c", "import os, sys; from pathlib import Path\n"
         "from orchestrator.embedded.data_folder import DataFolder\n"
         "DataFolder(Path(sys.argv[1])).__enter__(); os.kill(os.getpid(), 9)", folder],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, check=False,
    )  # fmt: skip
    assert holder.returncode == -signal.SIGKILL
    assert (folder / "lock").read_text().strip().isdigit()
    with DataFolder(folder):
        assert (folder / "lock").read_text() == f"{os.getpid()}\n"


def test_a_folder_that_cannot_be_made_is_named() -> None:
    with pytest.raises(DataFolderError, match="/proc/nowhere cannot be used"), DataFolder(Path("/proc/nowhere")):
        pass


def test_secrets_are_made_once(folder: Path) -> None:
    with DataFolder(folder) as held:
        first = held.secret_key()
    with DataFolder(folder) as held:
        assert held.secret_key() == first
        assert held.secret("another") != first
    assert len(first) >= 43
    assert mode(folder / "secret_key") == 0o600


def test_what_has_a_url_is_not_started(folder: Path) -> None:
    with embedded_machine(folder, database_url="postgresql://a", broker_url="redis://b", secret_key="c") as machine:
        assert (machine.addresses.database_url, machine.addresses.broker_url) == ("postgresql://a", "redis://b")
        assert machine.addresses.secret_key == "c"
        assert sorted(path.name for path in folder.iterdir()) == ["lock", "running.json"]


def test_other_commands_find_the_running_machine(folder: Path) -> None:
    assert running_addresses(folder) is None
    with embedded_machine(folder, database_url="postgresql://a", broker_url="redis://b") as machine:
        assert running_addresses(folder) == machine.addresses
    assert running_addresses(folder) is None
    (folder / "running.json").write_text(json.dumps({"database_url": "left by a killed one"}))
    assert running_addresses(folder) is None


@pytest.mark.parametrize("name", ["x" * 90, "a place with spaces"])
def test_sockets_have_short_plain_paths_whatever_the_folder(folder: Path, name: str) -> None:
    with DataFolder(folder / name) as held:
        server = ValkeyServer(held)
        server.begin()
        server.wait_until_ready()
        sockets = held.socket_folder()
        assert held.socket_folder() == sockets
        assert len(str(sockets)) < 40
        assert mode(sockets) == 0o700
        with Connection(server.url) as connection:
            assert connection.default_channel.client.ping()
        server.stop()
        held.forget_socket_folder()
        assert not sockets.exists()


def test_files_of_another_major_version_are_refused(folder: Path) -> None:
    (folder / "postgresql").mkdir(parents=True)
    (folder / "postgresql" / "PG_VERSION").write_text("14\n")
    with DataFolder(folder) as held, pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 14, this one is 18"):
        PostgresqlServer(held).begin()


def test_an_end_of_the_log_tells_why_a_server_did_not_start(folder: Path, made_once: Path) -> None:
    with DataFolder(made_once) as held:
        setting = made_once / "postgresql" / "postgresql.conf"
        before = setting.read_text()
        setting.write_text("nonsense = on\n")
        server = PostgresqlServer(held)
        server.begin()
        with pytest.raises(EmbeddedServerError, match=r'(?s)did not start.*unrecognized.*"nonsense"'):
            server.wait_until_ready()
        setting.write_text(before)


def test_remains_of_killed_servers_do_not_matter(made_once: Path) -> None:
    # The number of a living process that is no PostgreSQL, a database half made, a socket that nobody listens on.
    (made_once / "postgresql" / "postmaster.pid").write_text(f"{os.getppid()}\n{made_once / 'postgresql'}\n")
    (made_once / "postgresql.new").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(made_once / "run" / "valkey.sock"))
    with embedded_machine(made_once) as machine, psycopg.connect(machine.addresses.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_servers_that_died_are_revived(made_once: Path) -> None:
    with embedded_machine(made_once) as machine:
        assert machine.revive() == []
        for server in servers_of(made_once):
            server.kill()
            psutil.wait_procs([server], timeout=5)
        assert machine.revive() == ["Valkey", "PostgreSQL"]
        psycopg.connect(machine.addresses.database_url).close()


AS_SOMEBODY = dedent(
    """
    import os, sys
    from pathlib import Path
    import psycopg
    from orchestrator.embedded.machine import embedded_machine
    if sys.argv[2] == "nobody":
        os.setgroups([]); os.setgid(65534); os.setuid(65534)
    with embedded_machine(Path(sys.argv[1])) as machine:
        with psycopg.connect(machine.addresses.database_url) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS starts (number int)")
            connection.execute("INSERT INTO starts VALUES (1)")
            print(connection.execute("SELECT count(*) FROM starts").fetchone()[0])
    """
)
WITHOUT_NAMESPACES = dedent(
    """
    # Root in a namespace that may make no further ones, with all users mapped: as in most containers.
    import ctypes, os, sys
    ready, mapped = os.pipe(), os.pipe()
    if child := os.fork():
        os.read(ready[0], 1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w") as file:
                file.write("0 0 65536")
        os.write(mapped[1], b"x")
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    assert ctypes.CDLL(None).unshare(0x10000000) == 0
    os.write(ready[1], b"x")
    os.read(mapped[0], 1)
    with open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
    """
)


def run_python(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run([sys.executable, *words], env=environment, capture_output=True, text=True, check=False)


@as_root
def test_a_plain_user_can_start_it(folder: Path) -> None:
    os.chown(folder.parent, 65534, 65534)
    answer = run_python("-c", AS_SOMEBODY, folder, "nobody")
    assert answer.stdout == "1\n", answer.stderr
    assert (folder / "postgresql").stat().st_uid == 65534


@as_root
@pytest.mark.slow
def test_root_can_start_it_with_and_without_user_namespaces(folder: Path) -> None:
    folder.parent.chmod(0o755)
    script = folder.parent / "script.py"
    script.write_text(AS_SOMEBODY)
    owners = []
    for count, words in enumerate([[], ["-c", WITHOUT_NAMESPACES], []], start=1):
        answer = run_python(*words, script, folder, "root")
        if "PermissionError" in answer.stderr and words:
            pytest.skip("this kernel does not let the test take user namespaces away")
        assert answer.stdout == f"{count}\n", answer.stderr
        owners.append((folder / "postgresql").stat().st_uid)
    assert owners == [0, 65534, 0]


@as_root
def test_root_leaves_the_folder_of_another_user_alone(folder: Path) -> None:
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    with pytest.raises(DataFolderError, match="belongs to user 12345"), DataFolder(folder):
        pass


def test_a_taken_port_is_named_with_its_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"port {port} \(Address already in use\).*ORCHESTRATOR_PORT"):
            check_port_is_free("127.0.0.1", port, "ORCHESTRATOR_PORT")
    check_port_is_free("127.0.0.1", port, "ORCHESTRATOR_PORT")
