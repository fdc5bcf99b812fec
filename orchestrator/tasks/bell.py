"""The bell over Celery: sends `run_step(seq)`, named so that Flower reads well."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import structlog
from celery import Celery
from kombu import Connection
from kombu.exceptions import OperationalError

from orchestrator.engine.bell import Ring
from orchestrator.settings import Settings
from orchestrator.tasks.application import queue_for, queue_names

RUN_STEP = "orchestrator.run_step"
MESSAGE_VERSION = 1

log = structlog.get_logger(__name__)


class CeleryBell:
    """Publishes bells. A broker that does not answer costs some seconds, never an exception."""

    def __init__(self, application: Celery, settings: Settings) -> None:
        self._application = application
        self._settings = settings

    def ring(self, rings: Sequence[Ring]) -> int:
        """Send each ring once and say how many were sent; the rest is left to the recovery sweep."""
        sent = 0
        try:
            for ring in rings:
                self._send(ring)
                sent += 1
        except (OperationalError, OSError) as error:
            log.warning("bell not sent, the sweep will ring", sent=sent, unsent=len(rings) - sent, error=str(error))
        return sent

    def queued(self) -> dict[str, int] | None:
        """How many bells no worker has taken yet, by queue; None when the broker does not answer."""
        try:
            with self._application.connection_for_read() as connection:
                return {name: _messages_in(connection, name) for name in queue_names(self._settings)}
        except (OperationalError, OSError) as error:
            log.warning("the broker does not answer, nothing is rung for", error=str(error))
            return None

    def _send(self, ring: Ring) -> None:
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
        )


def _messages_in(connection: Connection, queue: str) -> int:
    # A channel of its own: a broker that does not know the queue closes the channel.
    channel: Any = connection.channel()
    try:
        return int(channel.queue_declare(queue, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        channel.close()
