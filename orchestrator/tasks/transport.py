"""kombu's transport for Redis and Valkey, without the end of the worker when the broker goes away during a task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import redis.exceptions
from kombu import transport
from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import QoS as RedisQoS
from kombu.transport.redis import Transport as RedisTransport

_HERE = f"{__name__}:Transport"


class QoS(RedisQoS):
    """The messages that a worker has taken and not acknowledged, noted without transactions."""

    @contextmanager
    def pipe_or_acquire(self, pipe: Any = None, client: Any = None) -> Iterator[Any]:
        """Where to write the two commands of a note, or of its end."""
        # kombu wraps them into MULTI and EXEC, which is twice the answers to read. Nobody is served by their being one:
        # who restores a message watches the second key, and a message is in neither while a worker takes it.
        if pipe:
            yield pipe
        else:
            channel: Any = self.channel
            with channel.conn_or_acquire(client) as acquired:
                yield acquired.pipeline(transaction=False)


class Channel(RedisChannel):
    """A channel whose connection is gone says so with an error of the connection, that can count, and that is cheap."""

    QoS = QoS
    _publisher: Any = None

    def length(self, queue: str) -> int:
        """How many messages are in a queue that no worker has taken yet.

        A passive declaration of kombu 5.7.0 looks for the queue without `global_keyprefix`, and finds none.
        """
        return int(self._size(queue))

    def _create_client(self, asynchronous: bool = False) -> Any:
        # kombu makes a client for each publish, each acknowledgement and each message that arrives: a third of what
        # these cost. A client holds nothing but its pool, which is another after a fork or a disconnect.
        if asynchronous:
            return super()._create_client(asynchronous)  # type: ignore[misc]
        if self._publisher is None or self._publisher.connection_pool is not self.pool:
            self._publisher = super()._create_client()  # type: ignore[misc]
        return self._publisher

    def _connparams(self, *args: Any, **options: Any) -> Any:
        # With celery and kombu 5.7.0 an AttributeError ("'NoneType' object has no attribute 'hostname'") comes out of
        # here when a message is restored or acknowledged after its connection was closed. Celery takes that for a
        # fault of its own and ends the worker; an error of the connection it logs, and connects anew.
        if self.connection is None or self.connection.client is None:
            raise redis.exceptions.ConnectionError("the connection to the broker is closed")
        return super()._connparams(*args, **options)  # type: ignore[misc]


class Transport(RedisTransport):
    """The transport for `redis://`, `rediss://` and `redis+socket://`."""

    Channel = Channel


def use_this_transport() -> None:
    """Let kombu take this transport where a URL asks for Redis."""
    transport.TRANSPORT_ALIASES.update({"redis": _HERE, "rediss": _HERE})
