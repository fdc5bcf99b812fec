"""What can be wrong with a set-up: one check each, and for each what mends it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, LiteralString

import psycopg

from orchestrator.cli.catalog import cannot_be_loaded
from orchestrator.cli.set_up import settings_in_force
from orchestrator.cli.tools import LoadTools, Tools
from orchestrator.engine.callbacks import CallbackSigner, check_secret_key
from orchestrator.engine.connection import check_session_locks
from orchestrator.errors import ConflictError, OrchestratorError, ServerTooOldError, SettingsError
from orchestrator.language.catalog import Catalog
from orchestrator.services.catalog_check import check_catalog
from orchestrator.settings import Settings, unknown_variables
from orchestrator.storage.database import libpq_url
from orchestrator.storage.migrating import MINIMUM_VERSION, Migrations
from orchestrator.storage.step_statements import CLOCK_LOCK

WORKER_PATIENCE = 2.0

_CLOCK_LEADS: Final[LiteralString] = """
SELECT count(*) > 0 FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (classid::bigint << 32) | objid::bigint = %(key)s
"""


@dataclass(frozen=True)
class Well:
    """Nothing is wrong here."""

    check: str
    says: str


@dataclass(frozen=True)
class Wrong:
    """Something is wrong, and this mends it."""

    check: str
    says: str
    mend: str


@dataclass(frozen=True)
class NotChecked:
    """It could not be looked at, because another check has failed."""

    check: str
    because: str


Finding = Well | Wrong | NotChecked


class AilmentError(Exception):
    """A check found something."""

    def __init__(self, says: str, mend: str) -> None:
        super().__init__(says)
        self.says = says
        self.mend = mend


@dataclass(frozen=True)
class Check:
    """One look. `look` says what is well, or raises AilmentError; it is left out when one of `needs` has failed."""

    name: str
    look: Callable[[Settings, Tools], str]
    needs: tuple[str, ...] = ()


def diagnose(load_tools: LoadTools) -> list[Finding]:
    """Look at everything; each finding stands for itself."""
    try:
        settings = settings_in_force()
    except SettingsError as error:
        because = "the settings cannot be read"
        return [
            Wrong("settings", str(error), "Correct the environment variable."),
            *(NotChecked(check.name, because) for check in CHECKS),
        ]
    tools = load_tools()
    findings: list[Finding] = [_variables()]
    for check in CHECKS:
        findings.append(_look(check, settings, tools, findings))
    return findings


def _variables() -> Finding:
    if unknown := unknown_variables():
        mend = "Correct the name, or unset it; variables of your own need names that do not begin with ORCHESTRATOR_."
        return Wrong("settings", " ".join(map(str, unknown)), mend)
    return Well("settings", "All variables can be read.")


def _look(check: Check, settings: Settings, tools: Tools, before: list[Finding]) -> Finding:
    for found in before:
        if found.check in check.needs and not isinstance(found, Well):
            return NotChecked(check.name, f"the check {found.check!r} comes first")
    try:
        return Well(check.name, check.look(settings, tools))
    except AilmentError as ailment:
        return Wrong(check.name, ailment.says, ailment.mend)


@contextmanager
def _mended_by(mend: str) -> Iterator[None]:
    try:
        yield
    except OrchestratorError as error:
        raise AilmentError(str(error), mend) from error
    except psycopg.Error as error:
        raise AilmentError(f"PostgreSQL says: {str(error).strip()}", mend) from error


def _database(settings: Settings, _: Tools) -> str:
    if settings.database_url is None:
        raise AilmentError(
            "No database is named, and `orchestrator up` does not run on the data folder "
            f"{settings.data_dir.resolve()}.",
            "Run `orchestrator up`, which brings one along, or set ORCHESTRATOR_DATABASE_URL.",
        )
    try:
        Migrations(settings.require_database_url()).current()
    except ServerTooOldError as error:
        raise AilmentError(str(error), f"Use PostgreSQL {MINIMUM_VERSION} or newer.") from error
    except OrchestratorError as error:
        mend = "Start it, or correct server, name, user and password in ORCHESTRATOR_DATABASE_URL."
        raise AilmentError(str(error), mend) from error
    return "PostgreSQL answers and is new enough."


def _sessions(settings: Settings, _: Tools) -> str:
    with _mended_by("Let ORCHESTRATOR_DATABASE_URL name PostgreSQL itself, or a pooler in session mode."):
        check_session_locks(settings.require_database_url())
    return "A connection is a session of its own."


def _migrations(settings: Settings, _: Tools) -> str:
    with _mended_by("Correct ORCHESTRATOR_CATALOG."):
        missing = Migrations(settings.require_database_url(), settings.catalog_packages()).pending()
    if missing:
        raise AilmentError(f"The database lacks {', '.join(missing)}.", "Run `orchestrator db upgrade`.")
    return "The database has all migrations."


def _broker(settings: Settings, tools: Tools) -> str:
    if settings.broker_url is None:
        raise AilmentError(
            f"No broker is named, and `orchestrator up` does not run on the data folder {settings.data_dir.resolve()}.",
            "Run `orchestrator up`, which brings one along, or set ORCHESTRATOR_BROKER_URL.",
        )
    with _mended_by("Start it, or correct server, user, password and virtual host in ORCHESTRATOR_BROKER_URL."):
        tools.check_broker(settings)
    return "The broker answers."


def _worker(settings: Settings, tools: Tools) -> str:
    with _mended_by("See what is wrong with the broker."):
        names = tools.ping_workers(settings, WORKER_PATIENCE)
    if not names:
        raise AilmentError(
            f"No worker answered within {WORKER_PATIENCE:.0f} s: nothing that is started will run.",
            "Start one: `celery --app orchestrator.worker worker`, or `orchestrator up`, and read what it logs.",
        )
    return f"Workers: {', '.join(names)}."


def _beat(settings: Settings, _: Tools) -> str:
    with _mended_by("See what is wrong with the database."):
        rows = _query(settings, _CLOCK_LEADS, {"key": CLOCK_LOCK})
    if rows != [(True,)]:
        raise AilmentError(
            "No clock runs: nothing goes on that was lost, and what waits for a time waits for ever.",
            "Start one: `celery --app orchestrator.worker beat`, or `orchestrator up`, and read what it logs.",
        )
    return "A clock runs."


def _catalog(settings: Settings, tools: Tools) -> str:
    catalog = _load(settings, tools)
    counts = f"workflows: {len(catalog.workflows)}, products: {len(catalog.products)}"
    return f"The packages can be imported; {counts}." if settings.catalog_packages() else "No package is named."


def _secret_key(settings: Settings, tools: Tools) -> str:
    with _mended_by("Make one with `openssl rand -hex 32`, and set it for web servers and workers alike."):
        check_secret_key(_load(settings, tools), CallbackSigner(settings.secret_key))
    return "It is set." if settings.secret_key else "It is not set, and no workflow waits for callbacks."


def _catalog_in_database(settings: Settings, tools: Tools) -> str:
    catalog = _load(settings, tools)
    with _mended_by("Correct the models, or see what is wrong with the database."):
        migrations = Migrations(settings.require_database_url(), settings.catalog_packages())
        try:
            found = check_catalog(migrations, catalog)
        except ConflictError as error:  # it has revisions that are not here; that it lacks none was looked at before
            mend = "Add the package that has them to ORCHESTRATOR_CATALOG, or install the release that has them."
            raise AilmentError(str(error), mend) from error
    if found:
        says = [f"{one.where}: {one.what}" for one in found[:_ENOUGH]]
        if len(found) > _ENOUGH:
            says.append(f"And {len(found) - _ENOUGH} more: `orchestrator catalog check` tells all.")
        raise AilmentError(" ".join(says), " ".join(dict.fromkeys(one.mend for one in found[:_ENOUGH])))
    return "Code and database know the same catalog."


_ENOUGH: Final = 5


def _load(settings: Settings, tools: Tools) -> Catalog:
    mend = "Correct the package, or ORCHESTRATOR_CATALOG, or start in the folder that the package lies in."
    with _mended_by(mend):
        try:
            return tools.load_catalog(settings)
        except OrchestratorError:
            raise
        except Exception as error:  # the author's code may raise anything when it is imported
            raise AilmentError(cannot_be_loaded(error), mend) from error


def _query(settings: Settings, statement: LiteralString, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
    url = libpq_url(settings.require_database_url())
    with psycopg.connect(url, autocommit=True, connect_timeout=5, application_name="orchestrator doctor") as connection:
        return connection.execute(statement, values).fetchall()


CHECKS: Final = (
    Check("database", _database),
    Check("sessions", _sessions, ("database",)),
    Check("catalog", _catalog),
    Check("secret key", _secret_key, ("catalog",)),
    Check("migrations", _migrations, ("database", "catalog")),
    Check("catalog in database", _catalog_in_database, ("database", "catalog", "migrations")),
    Check("broker", _broker),
    Check("worker", _worker, ("broker",)),
    Check("clock", _beat, ("database",)),
)
