"""The bell over Celery: sends `run_step(seq)`, named so that Flower reads well."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import structlog
from celery import Celery
from kombu import Connection, Producer, pools
from kombu.exceptions import OperationalError
from redis.exceptions import RedisError

from orchestrator.engine.bell import Ring
from orchestrator.settings import Settings
from orchestrator.tasks.application import queue_for, queue_names

RUN_STEP = "orchestrator.run_step"
MESSAGE_VERSION = 1

# A worker waits for bells as long as it takes; who rings, or counts them, has something better to do. A broker that is
# frozen accepts connections and says nothing, one that is full or a replica refuses.
_SECONDS = 1.5
_ERRORS = (OperationalError, OSError, RedisError)

log = structlog.get_logger(__name__)


class CeleryBell:
    """Publishes bells. A broker that does not answer costs some seconds, never an exception."""

    def __init__(self, application: Celery, settings: Settings) -> None:
        self._application = application
        self._settings = settings
        limits = {"socket_connect_timeout": _SECONDS, "socket_timeout": _SECONDS}
        self._options = {**application.conf.broker_transport_options, **limits}

    def ring(self, rings: Sequence[Ring]) -> int:
        """Send each ring once and say how many were sent; the rest is left to the recovery sweep."""
        sent = 0
        try:
            with pools.producers[self._broker].acquire(block=True) as producer:
                for ring in rings:
                    self._send(producer, ring)
                    sent += 1
        except _ERRORS as error:
            log.warning("bell not sent, the sweep will ring", sent=sent, unsent=len(rings) - sent, error=str(error))
        return sent

    def queued(self) -> dict[str, int] | None:
        """How many bells no worker has taken yet, by queue; None when the broker does not answer."""
        try:
            with pools.connections[self._broker].acquire(block=True) as connection:
                channel: Any = connection.default_channel  # of the ways to one the only one that does not try again
                return {name: channel.length(name) for name in queue_names(self._settings)}
        except _ERRORS as error:
            log.warning("the broker does not answer, nothing is rung for", error=str(error))
            return None

    @cached_property
    def _broker(self) -> Connection:
        # Never connected itself: pools are kept by what a connection is like, and made anew after a fork.
        return self._application.connection_for_write(transport_options=self._options)

    def _send(self, producer: Producer, ring: Ring) -> None:
        # argsrepr and kwargsrepr are what Flower shows; no state and no secret is in a message.
        self._application.send_task(
            RUN_STEP,
            kwargs={"seq": ring.seq, "v": MESSAGE_VERSION},
            queue=queue_for(self._settings, ring.target, ring.is_task),
            shadow=f"{ring.workflow}/{ring.step_key}",
            argsrepr="()",
            kwargsrepr=f"workflow={ring.workflow}, step={ring.step_key}, process_id={ring.process_id}",
            retry=False,
            ignore_result=True,
            producer=producer,
        )
