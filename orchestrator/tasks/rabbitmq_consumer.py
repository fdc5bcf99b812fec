"""What a worker consumes from RabbitMQ with. Only workers import it."""

from __future__ import annotations

from typing import Any

from celery.worker import consumer

_CelerysBlueprint: Any = consumer.Consumer.Blueprint


class _Blueprint(_CelerysBlueprint):  # type: ignore[misc]
    default_steps = tuple(step for step in _CelerysBlueprint.default_steps if not step.endswith(":DelayedDelivery"))


class Consumer(consumer.Consumer):
    """Celery's, without the 28 queues that it makes for tasks with a delay: time is in PostgreSQL here."""

    Blueprint = _Blueprint
