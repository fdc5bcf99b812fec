"""The settings that commands work with, and checks of the servers that they name."""

from __future__ import annotations

from kombu import Connection
from kombu.exceptions import OperationalError
from pydantic import SecretStr

from orchestrator.embedded.machine import running_addresses
from orchestrator.errors import SettingsError, UnavailableError
from orchestrator.settings import Settings, read_settings

_PATIENCE = 4.0


def settings_in_force() -> Settings:
    """The settings; servers that have no URL are those that `up` runs on the data folder, if it does."""
    settings = read_settings()
    running = running_addresses(settings.data_dir)
    if running is None:
        return settings
    found = {
        "database_url": SecretStr(running.database_url),
        "broker_url": SecretStr(running.broker_url),
        "secret_key": SecretStr(running.secret_key),
    }
    return settings.model_copy(update={name: value for name, value in found.items() if getattr(settings, name) is None})


def check_broker(url: str) -> None:
    """Connect to the broker as Celery does.

    Raises:
        SettingsError: the URL cannot be used; it is not repeated, it may hold a password.
        UnavailableError: nobody answers, or the password is wrong.
    """
    try:
        with Connection(
            url,
            connect_timeout=_PATIENCE,
            transport_options={"socket_connect_timeout": _PATIENCE, "socket_timeout": _PATIENCE},
        ) as connection:
            if connection.transport.driver_type != "redis":
                raise ValueError(connection.transport.driver_type)
            connection.ensure_connection(max_retries=1, interval_start=0)
    except OperationalError as error:
        raise UnavailableError(f"The broker does not answer: {str(error).rstrip('.')}.") from error
    except (ValueError, KeyError, ImportError, AttributeError, TypeError) as error:
        raise SettingsError(
            "ORCHESTRATOR_BROKER_URL cannot be used; it looks like redis://:password@host:6379/0."
        ) from error
