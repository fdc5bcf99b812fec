"""Builds real things from the settings and hands them over. The only module that knows all floors."""

from __future__ import annotations

import importlib
import logging
import sys
from functools import partial

import structlog
from celery import Celery
from flask import Flask
from kombu.exceptions import OperationalError

from orchestrator.api.application import build_application as build_web_application
from orchestrator.cli.tools import Tools
from orchestrator.domain.registry import use_products
from orchestrator.engine.runner import Limits
from orchestrator.engine.sweep import Sweep
from orchestrator.errors import SettingsError, UnavailableError
from orchestrator.language.catalog import Catalog
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, build_engine
from orchestrator.storage.migrating import Migrations
from orchestrator.tasks.application import build_application as build_celery_application
from orchestrator.tasks.bell import CeleryBell
from orchestrator.tasks.clock import Clock
from orchestrator.tasks.steps import register_run_step
from orchestrator.tasks.worker_process import WorkerProcess


def load_catalog(settings: Settings) -> Catalog:
    """Import the packages that ORCHESTRATOR_CATALOG names and let each register its products and workflows.

    Raises:
        SettingsError: a package cannot be imported, or has no `register(catalog)`.
    """
    catalog = Catalog()
    for name in settings.catalog_packages():
        try:
            package = importlib.import_module(name)
        except ImportError as error:
            raise SettingsError(
                f"ORCHESTRATOR_CATALOG names the package {name!r}, which cannot be imported: {error}"
            ) from error
        register = getattr(package, "register", None)
        if not callable(register):
            raise SettingsError(f"ORCHESTRATOR_CATALOG names {name!r}, which has no function register(catalog)")
        register(catalog)
    use_products(catalog.products)
    return catalog


def build_context(settings: Settings, application_name: str) -> Context:
    """What the use cases need, for the API or the command line."""
    engine = build_engine(
        settings.require_database_url(), application_name=application_name, pool_size=settings.web_threads
    )
    bell = CeleryBell(build_celery_application(settings), settings)
    return Context(database=Database(engine), catalog=load_catalog(settings), bell=bell, settings=settings)


def build_web(settings: Settings) -> Flask:
    """The WSGI application."""
    configure_logging(settings)
    return build_web_application(build_context(settings, "orchestrator web"))


def build_worker(settings: Settings) -> Celery:
    """The Celery application of workers, beat and Flower."""
    configure_logging(settings)
    database_url = settings.require_database_url()
    application = build_celery_application(settings)
    bell = CeleryBell(application, settings)
    limits = Limits(settings.max_delta_bytes, settings.max_lost_attempts, settings.code_wait)
    worker = WorkerProcess(database_url, load_catalog(settings), limits)

    def check() -> None:
        missing = Migrations(database_url, settings.catalog_packages()).pending()
        if missing:
            raise SettingsError(f"the database lacks migrations ({', '.join(missing)}): run `orchestrator db upgrade`")

    worker.install(application, check)
    register_run_step(application, worker.runner, bell)
    application.conf.beat_scheduler = partial(Clock, sweep=Sweep(database_url), bell=bell)
    return application


def build_tools() -> Tools:
    """What the command line is handed."""
    return Tools(build_context=_build_commands_context, load_catalog=load_catalog, ping_workers=ping_workers)


def _build_commands_context(settings: Settings, application_name: str) -> Context:
    configure_logging(settings)  # standard output is for the answer
    return build_context(settings, application_name)


def ping_workers(settings: Settings, seconds: float) -> list[str]:
    """The names of the workers that answer within so many seconds.

    Raises:
        UnavailableError: the broker does not answer.
    """
    try:
        answers = build_celery_application(settings).control.ping(timeout=seconds)
    except (OperationalError, OSError) as error:
        raise UnavailableError(f"The broker does not answer: {error}") from error
    return sorted(name for answer in answers for name in answer)


def configure_logging(settings: Settings) -> None:
    """Structured logs on standard error: readable lines, or JSON."""
    level = logging.getLevelNamesMapping().get(settings.log_level.upper())
    if level is None:
        raise SettingsError(f"ORCHESTRATOR_LOG_LEVEL: {settings.log_level!r} is no level; use DEBUG, INFO, WARNING...")
    renderer: structlog.types.Processor = (
        structlog.processors.JSONRenderer()
        if settings.log_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
