"""RabbitMQ as the broker: quorum queues, and what kombu and Celery have to be told about them."""

from __future__ import annotations

import select
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

from amqp.exceptions import NotFound
from kombu import Connection, Queue, transport
from kombu.transport.pyamqp import SSLTransport

from orchestrator.errors import SettingsError

MINIMUM_VERSION: Final = (3, 10)
_SCHEMES = ("amqp", "amqps")
_CONSUMER = "orchestrator.tasks.rabbitmq_consumer:Consumer"

# The broker takes a message back that is not acknowledged in half an hour, and steps take as long as they like: 24
# days, the milliseconds of which are a number that every release can count to. Releases before 3.12 are not told: there
# a worker loses its connection after half an hour of a step and connects anew, and the step goes on.
_ACKNOWLEDGED_SECONDS = 24 * 86_400


def is_rabbitmq(url: str) -> bool:
    """Whether a broker's URL, or the first of several, names a RabbitMQ."""
    return urlsplit(url).scheme in _SCHEMES


def rabbitmq_settings() -> dict[str, Any]:
    """What Celery's settings are besides those of `celeryconfig`, and in their place."""
    return {
        "worker_consumer": _CONSUMER,
        # An error of the channel is, too, that the broker did not wait any longer for the end of a step.
        "broker_channel_error_retry": True,
        # A queue for remote control that is exclusive belongs to a connection: a worker that is cut off could not begin
        # again before the broker has noticed. A transient one is refused by new releases.
        "control_queue_exclusive": False,
        "control_queue_durable": True,
        "broker_transport_options": {"max_retries": 0},
    }


def quorum_queue(name: str) -> Queue:
    """A queue that is kept by most of the broker's nodes. Everything else about it can be told by policies."""
    return Queue(
        name,
        routing_key=name,
        queue_arguments={"x-queue-type": "quorum"},
        consumer_arguments={"x-consumer-timeout": _ACKNOWLEDGED_SECONDS * 1_000},
    )


def queue_lengths(connection: Connection, names: Sequence[str]) -> dict[str, int]:
    """How many messages of each queue nobody has taken yet; a queue that is not there has none."""
    return {name: _length(connection, name) for name in names}


def _length(connection: Connection, name: str) -> int:
    try:
        channel: Any = connection.default_channel
        return int(channel.queue_declare(name, passive=True).message_count)
    except NotFound:
        return 0


@contextmanager
def none_that_has_ended(connection: Connection) -> Iterator[None]:
    """Within this, a connection that only publishes is not one that the broker ended while nobody used it.

    What fails here lets go of it: an answer that comes too late must not be taken for that of the next message.
    """
    if connection.connected and _has_something_to_read(connection):
        connection.collect()
    try:
        yield
    except BaseException:
        connection.collect()
        raise


def _has_something_to_read(connection: Connection) -> bool:
    """Nobody sends anything to who only publishes, so what there is to read is the end."""
    poll = select.poll()
    poll.register(connection.connection.sock, select.POLLIN)
    return bool(poll.poll(0))


def check_rabbitmq(connection: Connection, queues: Sequence[Queue]) -> None:
    """See that this is a RabbitMQ that has, or makes, the queues as they have to be.

    Args:
        connection: is connected.
        queues: are declared, as workers and who rings declare them.

    Raises:
        SettingsError: it is another server, it is too old.
        amqp.exceptions.AMQPError: it refuses a queue.
    """
    properties = connection.connection.server_properties
    product, version = str(properties.get("product")), str(properties.get("version"))
    if product != "RabbitMQ":
        raise SettingsError(f"ORCHESTRATOR_BROKER_URL names a {product}; it has to be RabbitMQ, Valkey or Redis.")
    if _numbers(version) < MINIMUM_VERSION:
        raise SettingsError(f"RabbitMQ {version} is too old, {'.'.join(map(str, MINIMUM_VERSION))} is the oldest.")
    for queue in queues:
        queue(connection.default_channel).declare()


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


class TlsTransport(SSLTransport):
    """The transport for `amqps://`, which also sees whether the certificate is that of the host."""

    def establish_connection(self) -> Any:
        """Connect to the host that the connection has come to, of those that its URLs name."""
        client: Any = self.client
        client.ssl = {"server_hostname": client.hostname}
        return super().establish_connection()


def use_this_transport() -> None:
    """Let kombu take this transport where a URL asks for AMQP over TLS."""
    transport.TRANSPORT_ALIASES["amqps"] = f"{__name__}:{TlsTransport.__name__}"
