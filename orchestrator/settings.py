"""The only reader of the environment: variables `ORCHESTRATOR_*`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableSettingsError

from orchestrator.errors import SettingsError

LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
POSTGRESQL_SCHEMES = ("postgresql", "postgres")
TARGETS = ("CREATE", "MODIFY", "TERMINATE", "SYSTEM", "VALIDATE", "RECONCILE")
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_MOST_DAYS = 36_500


def _only_loopback(host: str) -> str:
    if host not in LOOPBACK:
        message = (
            f"{host!r} is not a loopback address: there is no authentication yet, so the server listens on "
            "127.0.0.1, ::1 or localhost only; put an authenticating proxy in front of it"
        )
        raise ValueError(message)
    return host


def _a_log_level(level: str) -> str:
    if level.upper() not in LOG_LEVELS:
        message = f"{level!r} is no level; use one of {', '.join(LOG_LEVELS)}"
        raise ValueError(message)
    return level.upper()


def _a_postgresql_url(url: SecretStr) -> SecretStr:
    scheme = url.get_secret_value().partition("://")[0].partition("+")[0]
    if scheme not in POSTGRESQL_SCHEMES:
        message = "this is no URL of a PostgreSQL; it begins with postgresql://"
        raise ValueError(message)
    return url


def _of_targets(days: dict[str, float]) -> dict[str, float]:
    for name in days:
        if name not in TARGETS:
            message = f"{name!r} is no target; use {', '.join(TARGETS)}"
            raise ValueError(message)
    return days


class Settings(BaseSettings):
    """What can be set from outside. Each field is the environment variable `ORCHESTRATOR_<NAME>`."""

    model_config = SettingsConfigDict(env_prefix="ORCHESTRATOR_", env_ignore_empty=True, frozen=True, extra="ignore")

    database_url: Annotated[SecretStr, AfterValidator(_a_postgresql_url)] | None = Field(
        None, description="PostgreSQL 14 or newer; not set: `up` embeds one."
    )
    broker_url: SecretStr | None = Field(None, description="Valkey, Redis or RabbitMQ; not set: `up` embeds one.")
    catalog: str = Field("", description="Python package with `register(catalog)`; several with commas between them.")
    data_dir: Path = Field(Path(".orchestrator"), description="Where `up` keeps its servers' data and its secret key.")
    secret_key: SecretStr | None = Field(None, description="Signs tokens; `up` makes one in the data folder.")

    host: Annotated[str, AfterValidator(_only_loopback)] = Field("127.0.0.1", description="Address of the API.")
    port: int = Field(8080, ge=1, le=65535, description="Port of the API.")
    allowed_hosts: str = Field("", description="More names that a Host header may carry, with commas between them.")
    web_threads: int = Field(8, ge=1, description="Threads of each web process.")
    flower_port: int = Field(5555, ge=1, le=65535, description="Port of Flower.")
    flower_password: SecretStr | None = Field(None, description="Asked for by Flower, user `orchestrator`.")

    worker_concurrency: int = Field(2, ge=1, description="Prefork children of one worker.")
    burst_seconds: float = Field(
        0.0, ge=0, le=60, description="Seconds for which a child may go on with one process without a message."
    )
    task_events: bool = Field(False, description="Send Celery's task events (Flower needs them; they cost throughput).")
    task_events_seconds: float = Field(
        0.25, ge=0, le=10, description="Seconds for which task events wait to be sent together; 0: none waits."
    )
    target_queues: dict[str, str] = Field(
        default_factory=dict, description='A queue of its own for a target, as JSON: {"VALIDATE": "validations"}.'
    )

    max_request_bytes: int = Field(10_000_000, ge=1_000, description="A larger request body is refused.")
    max_delta_bytes: int = Field(16_000_000, ge=1_000, description="A step that returns more JSON than this fails.")
    max_lost_attempts: int = Field(3, ge=1, description="Claims of one step that may end in nothing before it fails.")
    code_wait: float = Field(60.0, ge=0, description="Seconds to wait for a worker that has a step's code.")
    idempotency_hours: float = Field(24.0, gt=0, description="How long an Idempotency-Key is remembered.")
    retention_days: Annotated[dict[str, Annotated[float, Field(ge=0, le=_MOST_DAYS)]], AfterValidator(_of_targets)] = (
        Field(
            default_factory=lambda: {"SYSTEM": 30.0, "VALIDATE": 30.0},
            description="Days after which processes that have ended are deleted, by target; those not named stay.",
        )
    )
    schedule_run_days: float = Field(
        30.0, ge=0, le=_MOST_DAYS, description="Days for which the runs of schedules are kept."
    )
    audit_days: float | None = Field(
        None, ge=0, le=_MOST_DAYS, description="Days for which the audit is kept; not set: for ever."
    )
    change_days: float | None = Field(
        None, ge=0, le=_MOST_DAYS, description="Days for which changes of values are kept; not set: for ever."
    )
    shutdown_seconds: float = Field(30.0, gt=0, description="How long a worker may finish its steps at shutdown.")
    log_level: Annotated[str, AfterValidator(_a_log_level)] = Field(
        "INFO", description="DEBUG, INFO, WARNING or ERROR."
    )
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
        found = [
            (".".join(map(str, item["loc"])), item["msg"].removeprefix("Value error, ")) for item in error.errors()
        ]
        raise SettingsError("; ".join(f"ORCHESTRATOR_{name.upper()}: {message}" for name, message in found)) from None
    except UnreadableSettingsError as error:
        # The message names the field; the value may be a secret, and stands in the cause only.
        name = str(error).partition('"')[2].partition('"')[0]
        raise SettingsError(f"ORCHESTRATOR_{name.upper()}: this is not JSON") from None


def whole_environment() -> dict[str, str]:
    """A copy of all variables, for the processes that this one starts."""
    return dict(os.environ)
