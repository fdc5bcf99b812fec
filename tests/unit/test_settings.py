"""Variables that cannot be used are refused by name, and never with a secret."""

from __future__ import annotations

import pytest

from orchestrator.errors import SettingsError
from orchestrator.settings import read_settings

WRONG = {
    "PORT": ("x", "integer"),
    "TARGET_QUEUES": ("{hush", "JSON"),
    "LOG_LEVEL": ("loud", "DEBUG"),
    "DATABASE_URL": ("mysql://me:hush@there/db", "postgresql://"),
    "HOST": ("192.0.2.1", "no authentication"),
    "MAX_LOST_ATTEMPTS": ("0", "greater"),
    "RETENTION_DAYS": ('{"SYSTEM": 1e999}', "less than or equal to 36500"),
    "SCHEDULE_RUN_DAYS": ("1e9", "less than or equal to 36500"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_variable_that_cannot_be_used_is_named(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    value, word = WRONG[name]
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    with pytest.raises(SettingsError, match=rf"ORCHESTRATOR_{name}(\.SYSTEM)?: .*{word}") as refused:
        read_settings()
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_each_spelling_of_postgresql_is_one(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", f"{scheme}://me:hush@there/db")
    settings = read_settings()
    assert settings.require_database_url() == f"{scheme}://me:hush@there/db"
    assert "hush" not in repr(settings)
