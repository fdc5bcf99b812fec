"""The servers of one embedded machine, started together and stopped in order."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from orchestrator.embedded.data_folder import DataFolder
from orchestrator.embedded.postgresql import PostgresqlServer
from orchestrator.embedded.valkey import ValkeyServer


@dataclass(frozen=True)
class Addresses:
    """Where things are on this machine, and the key that signs."""

    database_url: str
    broker_url: str
    secret_key: str


class EmbeddedMachine:
    """The running servers of a data folder; made by `embedded_machine`."""

    def __init__(self, addresses: Addresses, servers: tuple[PostgresqlServer | ValkeyServer, ...]) -> None:
        self.addresses = addresses
        self._servers = servers

    def revive(self) -> list[str]:
        """Start again the servers that have died; return their names. To be called now and then.

        Raises EmbeddedServerError when one does not come back.
        """
        dead = [server for server in self._servers if not server.is_running]
        for server in dead:
            server.begin()
        for server in dead:
            server.wait_until_ready()
        return [server.name for server in dead]


@contextmanager
def embedded_machine(
    data_folder: Path,
    *,
    database_url: str | None = None,
    broker_url: str | None = None,
    secret_key: str | None = None,
) -> Iterator[EmbeddedMachine]:
    """Lock the data folder, start what has no URL yet, and stop it again at the end.

    A URL or key that is given is handed through and nothing is started or made for it. Call it from the main
    thread: the servers end with the thread that started them.

    Raises AlreadyRunningError, DataFolderError, EmbeddedPackageMissingError and EmbeddedServerError.
    """
    with DataFolder(data_folder) as folder:
        broker = ValkeyServer(folder) if broker_url is None else None
        database = PostgresqlServer(folder) if database_url is None else None
        # Stopped in this order; the broker is begun first and reads its file while PostgreSQL makes its own.
        servers = tuple(server for server in (broker, database) if server is not None)
        running = folder.path / "running.json"
        try:
            for server in servers:
                server.begin()
            for server in servers:
                server.wait_until_ready()
            addresses = Addresses(
                database_url=database.url if database else str(database_url),
                broker_url=broker.url if broker else str(broker_url),
                secret_key=secret_key or folder.secret_key(),
            )
            folder.write_private("running.json", json.dumps(asdict(addresses)))
            yield EmbeddedMachine(addresses, servers)
        finally:
            running.unlink(missing_ok=True)
            for server in servers:
                server.stop()
            folder.forget_socket_folder()


def running_addresses(data_folder: Path) -> Addresses | None:
    """Return the addresses of the machine that runs on this folder, or None when none does.

    Other commands of the same user find the embedded servers by it.
    """
    if not DataFolder(data_folder).is_held():
        return None
    try:
        return Addresses(**json.loads((data_folder / "running.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
