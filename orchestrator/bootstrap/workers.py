"""Workers, beat and Flower. Nothing of the web is imported here: each worker child would carry it."""

from __future__ import annotations

import contextlib
from functools import partial

from celery import Celery

from orchestrator.bootstrap.logs import configure_logging
from orchestrator.engine.callbacks import CallbackSigner, check_secret_key
from orchestrator.engine.runner import Limits
from orchestrator.engine.sweep import Sweep
from orchestrator.errors import SettingsError, UnavailableError
from orchestrator.services.catalog_packages import load_catalog
from orchestrator.services.context import Context, context_in_force
from orchestrator.settings import Settings
from orchestrator.storage.database import Database, build_engine
from orchestrator.storage.migrating import Migrations, lacks
from orchestrator.tasks.application import build_application, queue_for
from orchestrator.tasks.bell import CeleryBell
from orchestrator.tasks.broker import check_broker
from orchestrator.tasks.clock import Clock
from orchestrator.tasks.schedule_runner import ScheduleRunner
from orchestrator.tasks.steps import register_run_step
from orchestrator.tasks.worker_process import WorkerProcess


def build_worker(settings: Settings) -> Celery:
    """The Celery application of workers, beat and Flower.

    Raises:
        SettingsError: a server is not named, or the catalog cannot be loaded. What the servers have to be is looked at
            when a worker starts.
    """
    configure_logging(settings)
    database_url = settings.require_database_url()
    application = build_application(settings)
    bell = CeleryBell(application, settings)
    signer = CallbackSigner(settings.secret_key)
    limits = Limits(settings.max_delta_bytes, settings.max_lost_attempts, settings.code_wait, signer)
    catalog = load_catalog(settings)
    worker = WorkerProcess(database_url, catalog, limits)
    # Nothing connects before it is used, so that a worker's children open their own connections, and few ever do.
    database = Database(build_engine(database_url, application_name="orchestrator schedules"))
    context = Context(database, catalog, bell, settings)
    context_in_force.use(context)

    def check() -> None:
        check_secret_key(catalog, signer)
        missing = Migrations(database_url, settings.catalog_packages()).pending()
        if missing:
            raise SettingsError(lacks(missing))
        with contextlib.suppress(UnavailableError):  # Celery waits for it, and says so
            check_broker(settings)

    worker.install(application, check)
    register_run_step(application, worker.runner, bell, settings.burst_seconds, worker.is_told_to_stop)
    sweep = Sweep(database_url, queue_of=partial(queue_for, settings))
    schedules = ScheduleRunner(context)
    application.conf.beat_scheduler = partial(Clock, sweep=sweep, bell=bell, schedules=schedules)
    return application
