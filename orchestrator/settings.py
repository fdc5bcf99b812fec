"""The only reader of the environment: variables `ORCHESTRATOR_*`."""

from __future__ import annotations

import os
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSettingsError

from orchestrator.errors import SettingsError
from orchestrator.setting_values import (
    Days,
    Host,
    HostNames,
    LogLevel,
    Port,
    PostgresqlUrl,
    Queue,
    SecretKey,
    Target,
)

_PREFIX = "ORCHESTRATOR_"
# What is no setting and yet has a meaning: what `up` tells the Procfile, and what tests read.
_NO_SETTINGS = frozenset({"BIND"})
_OF_TESTS = "TEST_"


class Settings(BaseSettings):
    """What can be set from outside. Each field is the environment variable `ORCHESTRATOR_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: PostgresqlUrl | None = Field(None, description="PostgreSQL 14 or newer; not set: `up` embeds one.")
    broker_url: SecretStr | None = Field(None, description="Valkey, Redis or RabbitMQ; not set: `up` embeds one.")
    catalog: str = Field("", description="Python package with `register(catalog)`; several with commas between them.")
    data_dir: Path = Field(Path(".orchestrator"), description="Where `up` keeps its servers' data and its secret key.")
    prepared_statements: bool = Field(
        True, description="Off: web processes may go through a pooler in transaction mode that keeps none."
    )
    secret_key: SecretKey | None = Field(None, description="Signs tokens; `up` makes one in the data folder.")

    host: Host = Field("127.0.0.1", description="Address of the API.")
    port: Port = Field(8080, description="Port of the API.")
    allowed_hosts: HostNames = Field(
        "", description="More names that a Host header may carry, with commas between them."
    )
    web_processes: int = Field(1, ge=1, description="Processes of the web server; the Procfile reads it.")
    web_threads: int = Field(8, ge=1, description="Threads of each web process.")
    flower_port: Port = Field(5555, description="Port of Flower.")
    flower_password: SecretStr | None = Field(None, description="Asked for by Flower, user `orchestrator`.")

    worker_concurrency: int = Field(2, ge=1, description="Prefork children of one worker.")
    burst_seconds: float = Field(
        0.0, ge=0, le=60, description="Seconds for which a child may go on with one process without a message."
    )
    task_events: bool = Field(False, description="Send Celery's task events (Flower needs them; they cost throughput).")
    task_events_seconds: float = Field(
        0.25, ge=0, le=10, description="Seconds for which task events wait to be sent together; 0: none waits."
    )
    target_queues: dict[Target, Queue] = Field(
        default_factory=dict, description="A queue of its own for a target.", examples=['{"VALIDATE": "validations"}']
    )

    max_request_bytes: int = Field(10_000_000, ge=1_000, description="A larger request body is refused.")
    max_delta_bytes: int = Field(16_000_000, ge=1_000, description="A step that returns more JSON than this fails.")
    max_lost_attempts: int = Field(3, ge=1, description="Claims of one step that may end in nothing before it fails.")
    code_wait: float = Field(60.0, ge=0, description="Seconds to wait for a worker that has a step's code.")
    idempotency_hours: float = Field(24.0, gt=0, description="How long an Idempotency-Key is remembered.")
    retention_days: dict[Target, Days] = Field(
        default_factory=lambda: {"SYSTEM": 30.0, "VALIDATE": 30.0},
        description="Days after which processes that have ended are deleted, by target; those not named stay.",
        examples=['{"CREATE": 30}'],
    )
    schedule_run_days: Days = Field(30.0, description="Days for which the runs of schedules are kept.")
    audit_days: Days | None = Field(None, description="Days for which the audit is kept; not set: for ever.")
    change_days: Days | None = Field(None, description="Days for which changes of values are kept; not set: for ever.")
    shutdown_seconds: float = Field(30.0, gt=0, description="How long a worker may finish its steps at shutdown.")
    log_level: LogLevel = Field("INFO", description="DEBUG, INFO, WARNING, ERROR or CRITICAL.")
    log_json: bool = Field(False, description="Logs as JSON lines.")

    def require_database_url(self) -> str:
        """The database's URL.

        Raises:
            SettingsError: it is not set.
        """
        if self.database_url is None:
            raise SettingsError(
                f"ORCHESTRATOR_DATABASE_URL is not set, and nothing runs on the folder {self.data_dir.resolve()}: "
                "name a PostgreSQL, run `orchestrator up`, which embeds one, or go to the folder where it runs"
            )
        return self.database_url.get_secret_value()

    def require_broker_url(self) -> str:
        """The broker's URL.

        Raises:
            SettingsError: it is not set.
        """
        if self.broker_url is None:
            raise SettingsError(
                f"ORCHESTRATOR_BROKER_URL is not set, and nothing runs on the folder {self.data_dir.resolve()}: "
                "name a broker, run `orchestrator up`, which embeds one, or go to the folder where it runs"
            )
        return self.broker_url.get_secret_value()

    def catalog_packages(self) -> list[str]:
        """The names in `catalog`."""
        return [name.strip() for name in self.catalog.split(",") if name.strip()]


def read_settings() -> Settings:
    """The settings of this process.

    Raises:
        SettingsError: a variable has a value that it cannot have; the message names each.
    """
    try:
        return Settings()
    except ValidationError as error:
        raise SettingsError("; ".join(_told(item["loc"], item["msg"]) for item in error.errors())) from None
    except UnreadableSettingsError as error:
        # The message names the field; the value may be a secret, and stands in the cause only.
        name = str(error).partition('"')[2].partition('"')[0]
        raise SettingsError(_told((name,), "this is not JSON")) from None


def _told(place: tuple[int | str, ...], message: str) -> str:
    # Pydantic places what is wrong with a key of a dictionary at the part "[key]" below it.
    name = ".".join([str(place[0]).upper(), *(str(part) for part in place[1:] if part != "[key]")])
    told = f"{_PREFIX}{name}: {message.removeprefix('Value error, ')}"
    examples = Settings.model_fields[str(place[0])].examples
    return f"{told}; for example {examples[0]}" if examples and len(place) == 1 else told


@dataclass(frozen=True)
class UnknownVariable:
    """A variable that nothing reads, and the setting whose name is nearest to it."""

    name: str
    nearest: str | None

    def __str__(self) -> str:
        told = f"{self.name} is no setting, and nothing reads it"
        return f"{told}." if self.nearest is None else f"{told}; {self.nearest} is one."


def unknown_variables() -> tuple[UnknownVariable, ...]:
    """The variables `ORCHESTRATOR_*` of this process that are no settings, by name."""
    settings = sorted(field.upper() for field in Settings.model_fields)
    found = []
    for name in sorted(os.environ):
        word = name.upper().removeprefix(_PREFIX)
        if word == name.upper() or word in settings or word in _NO_SETTINGS or word.startswith(_OF_TESTS):
            continue
        nearest = get_close_matches(word, settings, 1)
        found.append(UnknownVariable(name, f"{_PREFIX}{nearest[0]}" if nearest else None))
    return tuple(found)


def whole_environment() -> dict[str, str]:
    """A copy of all variables, for the processes that this one starts."""
    return dict(os.environ)
