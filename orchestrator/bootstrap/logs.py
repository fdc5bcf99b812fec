"""Structured logs."""

from __future__ import annotations

import logging
import sys

import structlog

from orchestrator.settings import Settings


def configure_logging(settings: Settings) -> None:
    """Structured logs on standard error: readable lines, or JSON."""
    level = logging.getLevelNamesMapping()[settings.log_level]
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
    if level > logging.DEBUG:
        # Celery says of each task that it was received, and that it has ended. The first tells nobody anything.
        logging.getLogger("celery.worker.strategy").setLevel(logging.WARNING)
