"""`orchestrator up`: the servers that are not there yet, the migrations, and the processes of the Procfile."""

from __future__ import annotations

import http.client
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from pydantic import SecretStr

from orchestrator.embedded.data_folder import DataFolder
from orchestrator.embedded.guard import continue_under_guard
from orchestrator.embedded.machine import Addresses, EmbeddedMachine, embedded_machine
from orchestrator.embedded.ports import check_port_is_free
from orchestrator.embedded.procfile import Program, read_procfile
from orchestrator.embedded.supervisor import Supervisor
from orchestrator.errors import MigrationError, ProcfileError, SettingsError
from orchestrator.settings import Settings, read_settings, unknown_variables, whole_environment
from orchestrator.storage.migrating import Migrations, lacks

if TYPE_CHECKING:
    from orchestrator.cli.tools import LoadTools

PROCFILE = Path(__file__).parent.parent / "Procfile"

# Longer than workers may take for their steps: who is killed then has hung.
_GRACE_BEYOND_SHUTDOWN = 10.0


@click.command
@click.option(
    "--procfile",
    "procfiles",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Run the processes of this file too. Can be given several times.",
)
@click.option("--migrate/--no-migrate", default=True, help="Without migrating, a database that lacks one is refused.")
@click.pass_obj
def up(load_tools: LoadTools, procfiles: Sequence[Path], migrate: bool) -> None:
    """Start everything on this machine, and stop it again at Ctrl-C.

    Without ORCHESTRATOR_DATABASE_URL a PostgreSQL, without ORCHESTRATOR_BROKER_URL a Valkey is started, with their
    data in ORCHESTRATOR_DATA_DIR (`.orchestrator`). The database is migrated. Then the web server, a worker, the clock
    and Flower run until they are stopped; one that ends is started again.
    """
    settings = read_settings()
    for unknown in unknown_variables():
        click.echo(f"Warning: {unknown}", err=True)
    if settings.port == settings.flower_port:
        raise SettingsError(f"ORCHESTRATOR_PORT and ORCHESTRATOR_FLOWER_PORT are both {settings.port}: set another.")
    programs = all_programs([PROCFILE, *procfiles])
    continue_under_guard()
    if not DataFolder(settings.data_dir).is_held():
        check_port_is_free(settings.host, settings.port, "ORCHESTRATOR_PORT")
        check_port_is_free("127.0.0.1", settings.flower_port, "ORCHESTRATOR_FLOWER_PORT")
    if settings.broker_url is not None:
        load_tools().check_broker(settings)
    if settings.catalog_packages():
        load_tools().load_catalog(settings)
    with embedded_machine(
        settings.data_dir,
        database_url=_revealed(settings.database_url),
        broker_url=_revealed(settings.broker_url),
        secret_key=_revealed(settings.secret_key),
    ) as machine:
        bring_up_to_date(Migrations(machine.addresses.database_url, settings.catalog_packages()), migrate)
        Supervisor(
            programs,
            environment_of_processes(settings, machine.addresses),
            output=sys.stdout,
            grace=settings.shutdown_seconds + _GRACE_BEYOND_SHUTDOWN,
            tick=Watch(settings, machine).tick,
        ).run()
    click.echo("Everything has ended.")


def _revealed(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()


def all_programs(files: Sequence[Path]) -> tuple[Program, ...]:
    """The programs of several Procfiles; raises ProcfileError when two have one name."""
    programs: dict[str, Program] = {}
    for file in files:
        for program in read_procfile(file):
            if program.name in programs:
                raise ProcfileError(f"{file}: another Procfile has a process named {program.name!r} already.")
            programs[program.name] = program
    return tuple(programs.values())


def bring_up_to_date(migrations: Migrations, migrate: bool) -> None:
    """Migrate, or raise MigrationError when the database lacks something and migrating was not wished for."""
    missing = migrations.pending()
    if not missing:
        return
    if not migrate:
        raise MigrationError(lacks(missing))
    click.echo(f"Migrating the database: {', '.join(missing)}")
    migrations.upgrade()


def environment_of_processes(settings: Settings, addresses: Addresses) -> dict[str, str]:
    """The environment in which the Procfile's processes find the servers, the programs and the catalog."""
    inherited = whole_environment()
    programs = str(Path(sys.executable).parent)
    return {
        "ORCHESTRATOR_TASK_EVENTS": "true",  # Flower runs beside the worker here
        **inherited,
        "ORCHESTRATOR_DATABASE_URL": addresses.database_url,
        "ORCHESTRATOR_BROKER_URL": addresses.broker_url,
        "ORCHESTRATOR_SECRET_KEY": addresses.secret_key,
        "ORCHESTRATOR_BIND": f"{_in_url(settings.host)}:{settings.port}",
        "ORCHESTRATOR_DATA_DIR": str(settings.data_dir.resolve()),
        "PATH": _joined(programs, inherited.get("PATH")),
        "PYTHONPATH": _joined(str(Path.cwd()), inherited.get("PYTHONPATH")),
    }


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _joined(first: str, rest: str | None) -> str:
    return f"{first}:{rest}" if rest else first


class Watch:
    """Looks after the servers once a second, and says where things are as soon as the API answers."""

    def __init__(self, settings: Settings, machine: EmbeddedMachine) -> None:
        self._settings = settings
        self._machine = machine
        self._told = False

    def tick(self) -> None:
        """One look."""
        for name in self._machine.revive():
            click.echo(f"{name} had ended and was started again.", err=True)
        if not self._told and is_live(self._settings.host, self._settings.port):
            self._told = True
            click.echo(where_things_are(self._settings))


def is_live(host: str, port: int) -> bool:
    """Whether the API answers."""
    connection = http.client.HTTPConnection(host, port, timeout=0.5)
    try:
        connection.request("GET", "/api/health/live")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def where_things_are(settings: Settings) -> str:
    """What a person wants to know when everything runs."""
    host = _in_url(settings.host)
    lines = [
        "",
        "The orchestrator is ready.",
        f"  API        http://{host}:{settings.port}/api",
        f"  Documents  http://{host}:{settings.port}/api/docs",
        f"  Flower     http://127.0.0.1:{settings.flower_port}",
        f"  Data       {settings.data_dir.resolve()}",
    ]
    if not settings.catalog_packages():
        lines += ["  It has no workflows yet: set ORCHESTRATOR_CATALOG to a package with register(catalog)."]
    return "\n".join([*lines, "Ctrl-C stops everything.", ""])
