"""Channels to a real broker as a worker's event loop has them, and how they end."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import redis
from celery import Celery
from kombu import Consumer, Queue
from kombu.asynchronous.hub import Hub

from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from tests.end_to_end.api_client import wait_until

QUEUE = "orchestrator:workflows"
UNACKED = ("orchestrator:unacked", "orchestrator:unacked_index")


@pytest.fixture
def application(broker_url: str) -> Celery:
    return build_application(Settings(broker_url=broker_url))


@pytest.fixture
def channel(application: Celery) -> Iterator[Any]:
    """Of a connection that an event loop reads."""
    loop = Hub()
    with application.connection_for_read() as connection:
        channel: Any = connection.default_channel
        channel.connection.register_with_event_loop(connection.connection, loop)
        yield channel
    loop.close()


def client_of(channel: Any) -> redis.Redis:
    return redis.Redis(connection_pool=redis.ConnectionPool(**channel._connparams()))


def take(channel: Any, consumer: Consumer) -> Any:
    """The next message, which is not acknowledged."""
    taken: list[Any] = []
    consumer.on_message = taken.append
    while not taken:
        channel.connection.cycle.on_poll_start()
        channel.handlers["BRPOP"]()
    return taken[0]


def test_a_message_that_comes_while_a_channel_is_closed_is_given_back(application: Celery, channel: Any) -> None:
    with client_of(channel) as client:
        consumer = Consumer(channel, [Queue("workflows", channel=channel)])
        consumer.consume()
        application.send_task("first")
        take(channel, consumer).ack()
        channel.connection.cycle.on_poll_start()  # a worker asks for the next one, and is told to stop
        consumer.cancel()
        application.send_task("late")
        wait_until(lambda: not client.llen(QUEUE), lambda: "nobody took it")
        channel.close()
        assert client.llen(QUEUE) == 1
        assert not client.exists(*UNACKED)


def test_messages_that_are_not_done_with_when_a_channel_is_closed_are_given_back(
    application: Celery, channel: Any
) -> None:
    with client_of(channel) as client:
        consumer = Consumer(channel, [Queue("workflows", channel=channel)])
        consumer.consume()
        for name in ("done", "under way", "taken while it is closed"):
            application.send_task(name)
        take(channel, consumer).ack()
        take(channel, consumer)
        channel.connection.cycle.on_poll_start()
        wait_until(lambda: not client.llen(QUEUE), lambda: "nobody took it")
        channel.close()
        assert client.llen(QUEUE) == 2
        assert not client.exists(*UNACKED)


def test_a_closed_channel_has_told_what_is_done_with(application: Celery, channel: Any) -> None:
    with client_of(channel) as client:
        consumer = Consumer(channel, [Queue("workflows", channel=channel)])
        consumer.consume()
        application.send_task("done")
        take(channel, consumer).ack()
        channel.close()
        assert not client.exists(*UNACKED, QUEUE)
