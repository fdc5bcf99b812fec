"""The web process."""

from __future__ import annotations

from flask import Flask

from orchestrator.api.application import build_application
from orchestrator.bootstrap.context import build_context
from orchestrator.bootstrap.logs import configure_logging
from orchestrator.engine.callbacks import CallbackSigner, check_secret_key
from orchestrator.settings import Settings


def build_web(settings: Settings) -> Flask:
    """The WSGI application."""
    configure_logging(settings)
    context = build_context(settings, "orchestrator web")
    check_secret_key(context.catalog, CallbackSigner(settings.secret_key))
    return build_application(context)
