"""What the use cases need, built for the API or the command line."""

from __future__ import annotations

from functools import partial

from celery import Celery
from kombu.exceptions import OperationalError

from orchestrator.errors import UnavailableError
from orchestrator.services.catalog_packages import load_catalog
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, build_engine
from orchestrator.tasks.application import build_application
from orchestrator.tasks.bell import CeleryBell


def build_context(settings: Settings, application_name: str) -> Context:
    """What the use cases need, for the API or the command line."""
    engine = build_engine(
        settings.require_database_url(), application_name=application_name, pool_size=settings.web_threads
    )
    application = build_application(settings)
    return Context(
        database=Database(engine),
        catalog=load_catalog(settings),
        bell=CeleryBell(application, settings),
        settings=settings,
        broker_ping=partial(ping_broker, application),
    )


def ping_broker(application: Celery) -> None:
    """Connect to the broker, within about a second.

    Raises:
        UnavailableError: it does not answer.
    """
    limits = {**application.conf.broker_transport_options, "socket_connect_timeout": 1.0, "socket_timeout": 1.0}
    try:
        with application.connection_for_write(transport_options=limits) as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
    except (OperationalError, OSError) as error:
        raise UnavailableError(f"The broker does not answer: {str(error).rstrip('.')}.") from error
