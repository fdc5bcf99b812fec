"""Reaching the broker, whichever it is: how long to wait for it, what can go wrong, and how to say so."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Never

from amqp.exceptions import AccessRefused, AMQPError, MessageNacked, NotAllowed, PreconditionFailed
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from orchestrator.errors import SettingsError, UnavailableError
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from orchestrator.tasks.rabbitmq import check_rabbitmq, is_rabbitmq

BROKER_ERRORS: Final = (OperationalError, OSError, RedisError, AMQPError, MessageNacked)

_PING_SECONDS = 1.0
_CHECK_SECONDS = 4.0


def patience(seconds: float) -> dict[str, Any]:
    """What a connection is made with that gives up a broker after so many seconds of silence.

    The first two options are read for Redis and Valkey, the others for RabbitMQ.
    """
    options = ("socket_connect_timeout", "socket_timeout", "read_timeout", "write_timeout")
    return {"connect_timeout": seconds, "transport_options": dict.fromkeys(options, seconds)}


def ping_broker(application: Celery) -> None:
    """Connect to the broker, within about a second.

    Raises:
        UnavailableError: it does not answer.
    """
    try:
        with _connected(application, _PING_SECONDS):
            pass
    except BROKER_ERRORS as error:
        _does_not_answer(error)


def check_broker(settings: Settings) -> None:
    """Connect to the broker as workers do, and see whether it can be used.

    Raises:
        SettingsError: the URL cannot be used, or what it names; the URL is not repeated, it may hold a password.
        UnavailableError: nobody answers, or the password of a Valkey or Redis is wrong.
    """
    try:
        application = build_application(settings)
        of_rabbitmq = is_rabbitmq(settings.require_broker_url())
        kind = application.connection_for_write().transport.driver_type
        if not of_rabbitmq and kind != "redis":
            raise ValueError(kind)
        with _connected(application, _CHECK_SECONDS) as connection:
            if of_rabbitmq:
                check_rabbitmq(connection, application.conf.task_queues)
    except (AccessRefused, NotAllowed, PreconditionFailed) as error:
        raise SettingsError(_refusal(error)) from error
    except BROKER_ERRORS as error:
        _does_not_answer(error)
    except (ValueError, KeyError, ImportError, AttributeError, TypeError) as error:
        raise SettingsError(
            "ORCHESTRATOR_BROKER_URL cannot be used; it looks like redis://:password@host:6379/0 "
            "or amqp://user:password@host:5672/vhost."
        ) from error


@contextmanager
def _connected(application: Celery, seconds: float) -> Iterator[Connection]:
    with application.connection_for_write(**patience(seconds)) as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
        yield connection


def _does_not_answer(error: BaseException) -> Never:
    raise UnavailableError(f"The broker does not answer: {str(error).rstrip('.')}.") from error


def _refusal(error: AMQPError) -> str:
    """What RabbitMQ refuses, and why, in its own words."""
    why = str(error.reply_text).partition(" - ")[2]
    match error:
        case PreconditionFailed():
            return f"RabbitMQ has a queue of this name that is another one, delete it: {why}."
        case NotAllowed():
            return f"RabbitMQ refuses the virtual host in ORCHESTRATOR_BROKER_URL: {why}."
        case AccessRefused(method_name="Queue.declare"):
            return f"RabbitMQ lets this user make no queue: {why}."
        case _:
            return "RabbitMQ refuses the user or the password in ORCHESTRATOR_BROKER_URL."
