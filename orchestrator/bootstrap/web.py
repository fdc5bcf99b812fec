"""The web process."""

from __future__ import annotations

from flask import Flask

from orchestrator.api.application import build_application
from orchestrator.bootstrap.context import build_context
from orchestrator.bootstrap.logs import configure_logging
from orchestrator.settings import Settings


def build_web(settings: Settings) -> Flask:
    """The WSGI application."""
    configure_logging(settings)
    return build_application(build_context(settings, "orchestrator web"))
