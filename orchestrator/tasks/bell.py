"""The bell over Celery: sends `run_step(seq)`, named so that Flower reads well."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Any
from weakref import WeakSet

import orjson
import structlog
from celery import Celery, uuid
from kombu import Connection, Producer, pools

from orchestrator.engine.bell import Ring
from orchestrator.settings import Settings
from orchestrator.tasks.application import queue_for, queue_names
from orchestrator.tasks.broker import BROKER_ERRORS, patience
from orchestrator.tasks.rabbitmq import is_rabbitmq, none_that_has_ended, queue_lengths

RUN_STEP = "orchestrator.run_step"
MESSAGE_VERSION = 1
_PERSISTENT = 2

# A worker waits for bells as long as it takes; who rings, or counts them, has something better to do. A broker that is
# frozen accepts connections and says nothing, one that is full or a replica refuses.
_SECONDS = 1.5

log = structlog.get_logger(__name__)


class CeleryBell:
    """Publishes bells. A broker that does not answer costs some seconds, never an exception."""

    def __init__(self, application: Celery, settings: Settings) -> None:
        self._application = application
        self._settings = settings
        self._is_rabbitmq = is_rabbitmq(settings.require_broker_url())
        self._channels: WeakSet[Any] = WeakSet()

    def ring(self, rings: Sequence[Ring]) -> int:
        """Send each ring once and say how many were sent; the rest is left to the recovery sweep."""
        sent = 0
        try:
            with pools.producers[self._broker].acquire(block=True) as producer, self._usable(producer.connection):
                channel = self._declared(producer)
                for ring in rings:
                    self._send(channel, ring)
                    sent += 1
        except BROKER_ERRORS as error:
            log.warning("bell not sent, the sweep will ring", sent=sent, unsent=len(rings) - sent, error=str(error))
        return sent

    def queued(self) -> dict[str, int] | None:
        """How many bells no worker has taken yet, by queue; None when the broker does not answer."""
        try:
            with pools.connections[self._broker].acquire(block=True) as connection, self._usable(connection):
                if self._is_rabbitmq:
                    return queue_lengths(connection, queue_names(self._settings))
                channel: Any = connection.default_channel  # of the ways to one the only one that does not try again
                return {name: channel.length(name) for name in queue_names(self._settings)}
        except BROKER_ERRORS as error:
            log.warning("the broker does not answer, nothing is rung for", error=str(error))
            return None

    @cached_property
    def _broker(self) -> Connection:
        # Never connected itself: pools are kept by what a connection is like, and made anew after a fork.
        limits = patience(_SECONDS)
        # Only RabbitMQ reads it: a message is sent when the queue has it.
        limits["transport_options"]["confirm_publish"] = True
        return self._application.connection_for_write(**limits)

    def _usable(self, connection: Connection) -> AbstractContextManager[None]:
        return none_that_has_ended(connection) if self._is_rabbitmq else nullcontext()

    def _send(self, channel: Any, ring: Ring) -> None:
        # What `Celery.send_task` does for each message, without what is the same for all of them: routes, options of
        # the task, signals that nobody listens to, and a copy of the queue. Those cost twice as much as the message.
        task = self._application.current_worker_task
        message = self._application.amqp.as_task_v2(
            uuid(),
            RUN_STEP,
            kwargs={"seq": ring.seq, "v": MESSAGE_VERSION},
            root_id=None if task is None else task.request.root_id or task.request.id,
            parent_id=None if task is None else task.request.id,
            # argsrepr and kwargsrepr are what Flower shows; no state and no secret is in a message.
            shadow=f"{ring.workflow}/{ring.step_key}",
            argsrepr="()",
            kwargsrepr=f"workflow={ring.workflow}, step={ring.step_key}, process_id={ring.process_id}",
            ignore_result=True,
        )
        channel.basic_publish(
            channel.prepare_message(
                orjson.dumps(message.body),
                content_type="application/json",
                content_encoding="utf-8",
                headers=message.headers,
                properties={**message.properties, "delivery_mode": _PERSISTENT},
            ),
            exchange="",
            routing_key=queue_for(self._settings, ring.target, ring.is_task),
            mandatory=True,  # RabbitMQ refuses it when the queue was deleted since
        )

    def _declared(self, producer: Producer) -> Any:
        """The channel of this producer, on which all queues are declared."""
        channel = producer.channel
        if channel not in self._channels:
            for queue in self._application.amqp.queues.values():
                producer.maybe_declare(queue)
            self._channels.add(channel)
        return channel
