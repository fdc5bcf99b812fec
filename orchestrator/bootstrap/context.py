"""What the use cases need, built for the API or the command line."""

from __future__ import annotations

from functools import partial

from orchestrator.services.catalog_packages import load_catalog
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, build_engine
from orchestrator.tasks.application import build_application
from orchestrator.tasks.bell import CeleryBell
from orchestrator.tasks.broker import ping_broker


def build_context(settings: Settings, application_name: str) -> Context:
    """What the use cases need, for the API or the command line."""
    engine = build_engine(
        settings.require_database_url(),
        application_name=application_name,
        pool_size=settings.web_threads,
        prepares=settings.prepared_statements,
    )
    application = build_application(settings)
    return Context(
        database=Database(engine),
        catalog=load_catalog(settings),
        bell=CeleryBell(application, settings),
        settings=settings,
        broker_ping=partial(ping_broker, application),
    )
