"""What the storm blows on: real servers, and the processes of the Procfile by their own command lines."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg
import redis

from orchestrator.cli.demo import free_ports
from orchestrator.embedded import postgresql
from orchestrator.embedded.child_processes import children_of, spawn
from orchestrator.embedded.data_folder import DataFolder
from orchestrator.embedded.postgresql import PostgresqlServer
from orchestrator.embedded.procfile import read_procfile
from orchestrator.embedded.valkey import ValkeyServer
from orchestrator.storage.migrating import Migrations
from tests.chaos.network import OwnNetwork, own_network
from tests.chaos.plan import Plan
from tests.end_to_end.up_on_test import clean_environment

REPOSITORY = Path(__file__).parents[2]
CATALOG = "chaos_catalog"
RESTART_PAUSE = 1.0  # as the supervisor of `orchestrator up` makes it


class PlantError(Exception):
    """Something that only the harness itself can have broken."""


@dataclass(eq=False)
class Place:
    """A process of the Procfile: the one that runs now, and when its successor is due."""

    name: str
    command: list[str]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    due: float = 0.0

    @property
    def kind(self) -> str:
        """Its name in the Procfile."""
        return self.name.partition("-")[0]

    @property
    def main(self) -> int:
        """The pid of its main process."""
        if self.process is None:
            raise PlantError(f"{self.name} does not run")
        return self.process.pid

    def children(self) -> set[int]:
        """The pids of its children."""
        return set() if self.process is None else set(children_of(self.process.pid))

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the main process and all children at once."""
        with suppress(ProcessLookupError):
            os.killpg(self.main, number)

    def look_after(self) -> None:
        """Start it when it is due; notice that it has ended, and take what it left behind with it."""
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self._start()
        elif os.waitid(os.P_PID, self.process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.signal_all(signal.SIGKILL)
            self.process.wait()
            self.process = None
            self.due = now + RESTART_PAUSE

    def _start(self) -> None:
        with self.log.open("ab") as output:
            self.process = spawn(self.command, environment=self.environment, death_signal=signal.SIGKILL, stdout=output)

    def stop(self, seconds: float) -> None:
        """End it well, or by force."""
        if self.process is None:
            return
        self.signal_all(signal.SIGCONT)
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(seconds)
        self.signal_all(signal.SIGKILL)
        self.process.wait()
        self.process = None


@dataclass
class Plant:
    """Everything that runs."""

    folder: Path
    postgresql: PostgresqlServer
    valkey: ValkeyServer
    network: OwnNetwork | None
    broker_port: int
    api_url: str
    lab_url: str
    places: list[Place] = field(default_factory=list)

    @property
    def database_url(self) -> str:
        """For psycopg."""
        return self.postgresql.url

    def broker(self) -> redis.Redis:
        """A client of the broker."""
        return redis.Redis.from_url("unix" + self.valkey.url.removeprefix("redis+socket"))

    def of_kind(self, kind: str) -> list[Place]:
        """The places of one name in the Procfile."""
        return [place for place in self.places if place.kind == kind]

    def worker_of(self, pid: int) -> Place | None:
        """The worker whose child this is."""
        return next((place for place in self.of_kind("worker") if pid in place.children()), None)

    def cut_worker(self) -> Place:
        """The worker in a network of its own."""
        return self.of_kind("worker")[-1]

    def look_after(self) -> None:
        """Start what has ended."""
        for place in self.places:
            place.look_after()

    def wait(self, what: Callable[[], bool], seconds: float, pause: float = 0.05) -> bool:
        """Wait until it is so, at most so long, looking after all places; whether it became so."""
        deadline = time.monotonic() + seconds
        while True:
            self.look_after()
            if what():
                return True
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)

    def start_broker(self) -> None:
        """Start Valkey, and let it listen for the worker in a network of its own."""
        self.valkey.begin()
        self.valkey.wait_until_ready()
        if self.network is not None:
            with self.broker() as client:
                client.config_set("bind", self.network.host)
                client.config_set("port", self.broker_port)

    def start_database(self) -> None:
        """Start PostgreSQL."""
        self.postgresql.begin()
        self.postgresql.wait_until_ready()

    def postmaster(self) -> int:
        """The pid of PostgreSQL's main process."""
        return int((self.folder / "data/postgresql/postmaster.pid").read_text().split()[0])


@contextmanager
def running_plant(folder: Path, plan: Plan, *, with_network: bool) -> Iterator[Plant]:
    """Start everything in this folder; the last worker runs in a network of its own, if that is wished for."""
    with ExitStack() as stack:
        network = stack.enter_context(own_network()) if with_network else None
        listen = {} if network is None else {"listen_addresses": network.host}
        before = postgresql._SETTINGS
        postgresql._SETTINGS = before | listen
        stack.callback(setattr, postgresql, "_SETTINGS", before)
        data = stack.enter_context(DataFolder(folder / "data"))
        database, valkey = PostgresqlServer(data), ValkeyServer(data)
        web_port, lab_port, broker_port = free_ports(3)
        here = "127.0.0.1" if network is None else network.host
        urls = f"http://127.0.0.1:{web_port}", f"http://{here}:{lab_port}"
        plant = Plant(folder, database, valkey, network, broker_port, *urls)
        stack.callback(database.stop)
        plant.start_database()
        stack.callback(valkey.stop)
        plant.start_broker()
        if network is not None:
            _let_in(plant, network)
        environment = clean_environment(
            ORCHESTRATOR_CATALOG=CATALOG,
            ORCHESTRATOR_DATABASE_URL=database.url,
            ORCHESTRATOR_BROKER_URL=valkey.url,
            ORCHESTRATOR_SECRET_KEY=data.secret_key(),
            ORCHESTRATOR_DATA_DIR=str(folder / "data"),
            ORCHESTRATOR_PORT=str(web_port),
            CHAOS_FOLDER=str(folder),
            LAB_URL=plant.lab_url,
            PYTHONPATH=f"{REPOSITORY}:{Path(__file__).parent}",
            PYTHONUNBUFFERED="1",
        )
        environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
        sys.path.insert(0, str(Path(__file__).parent))
        stack.callback(sys.path.remove, str(Path(__file__).parent))
        Migrations(database.url, [CATALOG]).upgrade()
        plant.places = _places(plant, environment, plan)
        lab = ["python", "-m", "tests.chaos.lab", "--host", here, "--port", str(lab_port)]
        plant.places.append(Place("lab", lab, environment, folder / "lab.log"))
        stack.callback(_stop, plant.places)
        yield plant


def _stop(places: list[Place]) -> None:
    for place in places:
        if place.process is not None:
            place.signal_all(signal.SIGCONT)
            place.process.terminate()
    for place in places:
        place.stop(20.0)


def _places(plant: Plant, environment: Mapping[str, str], plan: Plan) -> list[Place]:
    commands = {program.name: program.command for program in read_procfile(REPOSITORY / "Procfile")}
    places = []
    for kind, count in {"web": 1, "worker": plan.workers, "beat": plan.clocks}.items():
        for number in range(1, count + 1):
            name = f"{kind}-{number}"
            inside = plant.network if kind == "worker" and number == count else None
            command = ["/bin/sh", "-c", f"exec {commands[kind]}"]
            own = dict(environment)
            if kind == "worker":
                own["ORCHESTRATOR_BURST_SECONDS"] = str(plan.burst_of(number))
            if inside is not None:
                command = inside.command(commands[kind])
                own |= _urls_from_inside(plant, inside)
            places.append(Place(name, command, own, plant.folder / f"{name}.log"))
    return places


def _urls_from_inside(plant: Plant, network: OwnNetwork) -> dict[str, str]:
    given = psycopg.conninfo.conninfo_to_dict(plant.database_url)
    user, password = given["user"], quote(str(given["password"]), safe="")
    secret = plant.valkey.url.partition("://:")[2].partition("@")[0]
    database = f"postgresql://{user}:{password}@{network.host}:{postgresql.PORT}/{given['dbname']}"
    return {
        "ORCHESTRATOR_DATABASE_URL": database,
        "ORCHESTRATOR_BROKER_URL": f"redis://:{secret}@{network.host}:{plant.broker_port}/0",
    }


def _let_in(plant: Plant, network: OwnNetwork) -> None:
    rules = plant.folder / "data/postgresql/pg_hba.conf"
    with rules.open("a") as file:
        file.write(f"host all all {network.host}/30 scram-sha-256\n")
    with psycopg.connect(plant.database_url, autocommit=True) as connection:
        connection.execute("SELECT pg_reload_conf()")
