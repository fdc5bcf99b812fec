"""The settings that commands work with."""

from __future__ import annotations

from pydantic import SecretStr

from orchestrator.embedded.machine import running_addresses
from orchestrator.settings import Settings, read_settings


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
