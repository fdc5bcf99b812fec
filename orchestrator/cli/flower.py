"""`orchestrator flower`: Flower on loopback, read-only unless it asks for a password."""

from __future__ import annotations

import os
import sys

import click

from orchestrator.cli.set_up import settings_in_force
from orchestrator.errors import SettingsError
from orchestrator.settings import Settings, whole_environment

USER = "orchestrator"


@click.command
def flower() -> None:
    """Run Flower, the dashboard of the workers, on ORCHESTRATOR_FLOWER_PORT of this machine.

    With ORCHESTRATOR_FLOWER_PASSWORD it asks for that password (the user is `orchestrator`) and can also control
    workers; without, it only shows.
    """
    settings = settings_in_force()
    # In the environment, not on the command line, where every user of the machine could read the password.
    environment = whole_environment() | {
        "ORCHESTRATOR_DATABASE_URL": settings.require_database_url(),
        "ORCHESTRATOR_BROKER_URL": settings.require_broker_url(),
        **_access(settings),
    }
    command = [sys.executable, "-m", "orchestrator.tasks.flower", "--app", "orchestrator.worker", "flower"]
    options = ["--address=127.0.0.1", f"--port={settings.flower_port}", "--persistent=False"]
    if not settings.task_events:
        options.append("--enable_events=False")  # else it tells workers every few seconds to send them
    sys.stdout.flush()
    os.execve(sys.executable, [*command, *options], environment)  # noqa: S606 - this process becomes Flower


def _access(settings: Settings) -> dict[str, str]:
    if settings.flower_password is None:
        # Any page that a browser on this machine shows can send requests here: they must not change anything.
        return {"FLOWER_UNAUTHENTICATED_API": "true", "FLOWER_READ_ONLY": "true"}
    password = settings.flower_password.get_secret_value()
    if not password or "," in password:
        raise SettingsError("ORCHESTRATOR_FLOWER_PASSWORD cannot be empty or have a comma: Flower would not accept it.")
    return {"FLOWER_BASIC_AUTH": f"{USER}:{password}", "FLOWER_UNAUTHENTICATED_API": "false"}
