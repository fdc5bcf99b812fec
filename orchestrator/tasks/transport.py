"""kombu's transport for Redis and Valkey: a worker does not wait for it, and does not end when it goes away."""

from __future__ import annotations

from time import time
from typing import Any

import redis.exceptions
import structlog
from kombu import transport
from kombu.transport.redis import Channel as RedisChannel
from kombu.transport.redis import QoS as RedisQoS
from kombu.transport.redis import Transport as RedisTransport
from kombu.utils.json import dumps

from orchestrator.tasks.notes import CLOSED, Notes

# An answer that says no is heard, and a message that is done with is forgotten, after this time at the latest.
_SETTLED_SECONDS = 0.1

log = structlog.get_logger(__name__)

_HERE = f"{__name__}:Transport"


class QoS(RedisQoS):
    """The messages that a worker has taken and not acknowledged.

    They are noted with the broker as kombu notes them, so that who takes over from another release, or from kombu
    itself, finds what it knows. In an event loop nobody waits for it, and the end of a note is sent with the next one.
    Who dies meanwhile leaves a message that is handed out once more, or none, and the sweep rings: either does no harm.
    """

    _notes: Notes | None = None
    _settles_later = False

    def append(self, message: Any, delivery_tag: str) -> None:
        """Note that a message was taken."""
        where = message.delivery_info
        taken = dumps([message._raw, where["exchange"], where["routing_key"]])
        notes = self._noted("ZADD", self.unacked_index_key, time(), delivery_tag)
        self._noted("HSET", self.unacked_key, delivery_tag, taken)
        if self._loop is None:
            notes.settle()
        else:
            notes.send()
            self._settle_soon()
        super(RedisQoS, self).append(message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Note that a message is done with."""
        channel: Any = self.channel
        if channel.closed:
            log.info("a message is done with whose connection is gone; the broker hands it out once more")
            return
        self._forget(delivery_tag)
        super(RedisQoS, self).ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Note that a message is done with, or give it back."""
        if requeue:
            self.settle()
            super().reject(delivery_tag, requeue=True)
        else:
            self.ack(delivery_tag)

    def settle(self) -> None:
        """See that the broker has heard all of it."""
        self._settles_later = False
        if self._notes is not None:
            self._notes.settle()

    def settle_if_possible(self) -> bool:
        """See that the broker has heard all of it; whether it has."""
        try:
            self.settle()
        except redis.exceptions.RedisError as error:
            log.warning("the broker was not told of all messages that are done with", error=str(error))
            return False
        return True

    def restore_unacked(self, client: Any = None) -> None:
        """Give back what is not done with, as far as the broker has been told of it."""
        self.settle_if_possible()
        super().restore_unacked(client)

    def close(self) -> None:
        """Say no more."""
        if self._notes is not None:
            self._notes.close()

    def _forget(self, delivery_tag: str) -> None:
        notes = self._noted("ZREM", self.unacked_index_key, delivery_tag)
        self._noted("HDEL", self.unacked_key, delivery_tag)
        if self._loop is None:
            notes.settle()
        else:
            self._settle_soon()

    def _noted(self, command: str, key: str, *words: str | bytes | float) -> Notes:
        channel: Any = self.channel
        if self._notes is None:
            self._notes = Notes(channel.pool)
        self._notes.note(command, channel.global_keyprefix + key, *words)
        return self._notes

    @property
    def _loop(self) -> Any:
        channel: Any = self.channel
        return channel.connection and channel.connection.loop

    def _settle_soon(self) -> None:
        if not self._settles_later:
            self._settles_later = True
            self._loop.call_later(_SETTLED_SECONDS, self.settle)


class Channel(RedisChannel):
    """A channel whose connection is gone says so with an error of the connection, that can count, and that is cheap."""

    QoS = QoS
    _publisher: Any = None

    def close(self) -> None:
        """Say first what the broker was not told yet: what is closed here takes its connections along.

        kombu may read one more message here, and give it back: a broker that is there takes notes until that is done.
        """
        taken: Any = self._qos
        if self.closed or taken is None:
            super().close()
            return
        if not taken.settle_if_possible():
            taken.close()
        try:
            super().close()
        finally:
            taken.close()

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
            raise redis.exceptions.ConnectionError(CLOSED)
        return super()._connparams(*args, **options)  # type: ignore[misc]


class Transport(RedisTransport):
    """The transport for `redis://`, `rediss://` and `redis+socket://`."""

    Channel = Channel
    loop: Any = None

    def register_with_event_loop(self, connection: Any, loop: Any) -> None:
        """Of a worker: what comes from the broker is read, and what is due is done, by its event loop."""
        self.loop = loop
        super().register_with_event_loop(connection, _Registering(loop))


class _Registering:
    """An event loop that is told at each turn to read from the same sockets, and does so the first time alone."""

    def __init__(self, loop: Any) -> None:
        self._loop = loop

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loop, name)

    def add_reader(self, descriptor: int, callback: Any, *args: Any) -> None:
        # kombu does it for each socket at each turn, a system call each time; it is a new socket that counts.
        if self._loop.readers.get(descriptor) != (callback, args):
            self._loop.add_reader(descriptor, callback, *args)


def use_this_transport() -> None:
    """Let kombu take this transport where a URL asks for Redis."""
    transport.TRANSPORT_ALIASES.update({"redis": _HERE, "rediss": _HERE})
