"""What the command line is handed."""

from __future__ import annotations

from orchestrator.bootstrap.context import build_context
from orchestrator.bootstrap.logs import configure_logging
from orchestrator.cli.tools import Tools
from orchestrator.errors import UnavailableError
from orchestrator.services.catalog_packages import load_catalog
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from orchestrator.tasks.broker import BROKER_ERRORS, check_broker


def build_tools() -> Tools:
    """What the command line is handed."""
    return Tools(
        build_context=_build_commands_context,
        load_catalog=load_catalog,
        check_broker=check_broker,
        ping_workers=ping_workers,
    )


def _build_commands_context(settings: Settings, application_name: str) -> Context:
    configure_logging(settings)  # standard output is for the answer
    return build_context(settings, application_name)


def ping_workers(settings: Settings, seconds: float) -> list[str]:
    """The names of the workers that answer within so many seconds.

    Raises:
        UnavailableError: the broker does not answer.
    """
    try:
        answers = build_application(settings).control.ping(timeout=seconds)
    except BROKER_ERRORS as error:
        raise UnavailableError(f"The broker does not answer: {error}") from error
    return sorted(name for answer in answers or () for name in answer)
