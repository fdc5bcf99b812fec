"""Variables that cannot be used are refused by name, and never with a secret."""

from __future__ import annotations

import re

import pytest

from orchestrator.errors import SettingsError
from orchestrator.settings import read_settings, unknown_variables

WRONG = [
    ("PORT", "x", ": .*integer"),
    ("TARGET_QUEUES", "{hush", ': this is not JSON; for example {"VALIDATE": "validations"}'),
    ("TARGET_QUEUES", '{"VALID": "x"}', ".VALID: 'VALID' is no target; use CREATE"),
    ("TARGET_QUEUES", '{"validate": "val"}', ".validate: 'validate' is no target; use CREATE"),
    ("TARGET_QUEUES", '{"VALIDATE": ""}', ".VALIDATE: '' is no name of a queue"),
    ("TARGET_QUEUES", '{"VALIDATE": "one,two"}', ".VALIDATE: 'one,two' is no name of a queue"),
    ("LOG_LEVEL", "loud", ": .*DEBUG"),
    ("DATABASE_URL", "mysql://me:hush@there/db", ": .*postgresql://"),
    ("SECRET_KEY", "hush-hush-hush!", ": the key has 15 characters and needs 16 at least"),
    ("HOST", "192.0.2.1", ": .*no authentication"),
    ("ALLOWED_HOSTS", "ok.example, https://x.example/", ": 'https://x.example/' is no name of a host"),
    ("ALLOWED_HOSTS", "x.example:8080", ": 'x.example:8080' is no name of a host"),
    ("ALLOWED_HOSTS", "*.example", ": .*wildcards"),
    ("MAX_LOST_ATTEMPTS", "0", ": .*greater"),
    ("WEB_PROCESSES", "-2", ": .*greater than or equal to 1"),
    ("RETENTION_DAYS", "30", ': Input should be a valid dictionary; for example {"CREATE": 30}'),
    ("RETENTION_DAYS", '{"SYSTEM": 1e999}', ".SYSTEM: .*less than or equal to 36500"),
    ("RETENTION_DAYS", '{"SYSTEM": 0}', ".SYSTEM: .*greater than 0"),
    ("SCHEDULE_RUN_DAYS", "1e9", ": .*less than or equal to 36500"),
    ("SCHEDULE_RUN_DAYS", "0", ": .*greater than 0"),
    ("AUDIT_DAYS", "0", ": .*greater than 0"),
    ("CHANGE_DAYS", "0", ": .*greater than 0"),
]


@pytest.mark.parametrize(("name", "value", "says"), WRONG)
def test_a_variable_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, says: str
) -> None:
    monkeypatch.setenv(f"ORCHESTRATOR_{name}", value)
    with pytest.raises(SettingsError) as refused:
        read_settings()
    assert re.match(f"ORCHESTRATOR_{name}{says.replace('{', '[{]')}", str(refused.value)), refused.value
    assert "hush" not in str(refused.value)


def test_hosts_and_queues_as_they_should_be_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_ALLOWED_HOSTS", "Portal.Example, my_proxy,192.0.2.7 , 2001:db8::1,")
    monkeypatch.setenv("ORCHESTRATOR_TARGET_QUEUES", '{"VALIDATE": "checks-2", "CREATE": "workflows"}')
    assert read_settings().target_queues == {"VALIDATE": "checks-2", "CREATE": "workflows"}


def test_variables_that_nothing_reads_are_named_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PROT", "ZZ", "BIND", "TEST_DATABASE_URL", "PORT"):
        monkeypatch.setenv(f"ORCHESTRATOR_{name}", "8081")
    assert [str(one) for one in unknown_variables()] == [
        "ORCHESTRATOR_PROT is no setting, and nothing reads it; ORCHESTRATOR_PORT is one.",
        "ORCHESTRATOR_ZZ is no setting, and nothing reads it.",
    ]


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_each_spelling_of_postgresql_is_one(monkeypatch: pytest.MonkeyPatch, scheme: str) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", f"{scheme}://me:hush@there/db")
    settings = read_settings()
    assert settings.require_database_url() == f"{scheme}://me:hush@there/db"
    assert "hush" not in repr(settings)
