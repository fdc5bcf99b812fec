"""Task events for Flower and other monitors: what Celery says of a short task in three events is said in one.

Celery sends `task-received`, `task-started` and `task-succeeded` of each task as they happen. Here they wait for a
moment and go together. Of a task that has ended by then only the end is sent; it carries what `task-received` says, and
when the task was received and started. A monitor that keeps what it reads of a task, as `celery.events.state` does,
knows the same afterwards. A task that takes longer is seen while it runs, by events of their own as Celery sends them.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import structlog
from celery.app import events
from celery.bootsteps import StartStopStep
from celery.events.dispatcher import EventDispatcher
from celery.events.event import Event
from kombu.exceptions import EncodeError

_TOGETHER = "task.multi"
# Each has about 700 bytes.
_MOST_IN_A_MESSAGE = 100
# Those that a broker did not take; then the oldest are forgotten.
_MOST_UNSENT = 100

log = structlog.get_logger(__name__)


class Dispatcher(EventDispatcher):
    """Celery's dispatcher, whose task events wait for a timer once it has one.

    The event loop of the worker's main process is the only one who uses it then.
    """

    # What the stubs leave out.
    _closed: bool
    clock: Any
    delivery_mode: Any
    exchange: Any
    headers: Any
    mutex: Any
    pid: int
    producer: Any
    serializer: str

    def __init__(self, *args: Any, **options: Any) -> None:
        """With what Celery gives."""
        super().__init__(*args, **options)
        self._outbound_buffer: deque[tuple[Any, str]] = deque(maxlen=_MOST_UNSENT)
        self._timer: Any = None
        self._seconds = 0.0
        self._waits = False
        self._begun: dict[str, list[dict[str, Any]]] = {}
        self._ready: list[dict[str, Any]] = []

    def gather(self, timer: Any, seconds: float) -> None:
        """Let task events wait.

        Args:
            timer: of the event loop.
            seconds: after which everything that was said meanwhile is sent.
        """
        self._timer = timer
        self._seconds = seconds

    def send(self, type: str, **fields: Any) -> None:  # type: ignore[override]
        """Send an event: of a task in a moment, of the worker now.

        Args:
            type: such as `task-started`.
            fields: what it tells.
        """
        if self._timer is None or not type.startswith("task-"):
            super().send(type, **fields)
        elif self.enabled and (not self.groups or "task" in self.groups):
            # Without `utcoffset`: where it differs from a monitor's own, that moves `timestamp`, and no other time.
            self._note(Event(type, hostname=self.hostname, pid=self.pid, clock=self.clock.forward(), **fields))

    def flush(self, errors: bool = True, groups: bool = True) -> None:
        """Send all that waits, and what could not be sent before."""
        for told in self._begun.values():
            self._ready += told
        self._begun.clear()
        self._send_ready()
        if self._timer is None:
            super().flush(errors, groups)

    def extend_buffer(self, other: EventDispatcher) -> None:
        """Take over what one whose connection is gone has not sent."""
        super().extend_buffer(other)
        if isinstance(other, Dispatcher):
            self._begun |= other._begun
            self._ready += other._ready

    def _note(self, event: dict[str, Any]) -> None:
        task_id = event.get("uuid", "")
        match event["type"]:
            case "task-received" | "task-started":
                self._begun.setdefault(task_id, []).append(event)
            case "task-succeeded" | "task-failed":
                self._ready += _told_by_its_end(self._begun.pop(task_id, []), event)
            case _:
                self._ready += [*self._begun.pop(task_id, []), event]
        if len(self._ready) >= _MOST_IN_A_MESSAGE:
            self._send_ready()
        if not self._waits:
            self._waits = True
            self._timer.call_after(self._seconds, self._end_of_wait)

    def _end_of_wait(self) -> None:
        self._waits = False
        self.flush()

    def _send_ready(self) -> None:
        if self._ready:
            self._outbound_buffer.append((self._ready, _TOGETHER))
            self._ready = []
        with self.mutex:
            while self._outbound_buffer and not self._closed and self._sent(*self._outbound_buffer[0]):
                self._outbound_buffer.popleft()

    def _sent(self, message: Any, routing_key: str) -> bool:
        try:
            self.producer.publish(
                message,
                routing_key=routing_key,
                exchange=self.exchange.name,
                declare=[self.exchange],
                serializer=self.serializer,
                headers=self.headers,
                delivery_mode=self.delivery_mode,
            )
        except EncodeError as error:
            log.warning("task events cannot be sent, they are left out", error=str(error))
        except Exception:  # noqa: BLE001 - of a broker that is gone kombu raises anything; Celery says so and connects anew
            return False
        return True


def _told_by_its_end(told: list[dict[str, Any]], end: dict[str, Any]) -> list[dict[str, Any]]:
    """What to send of a task that has ended: one event when nothing was sent of it, else what is left."""
    if [event["type"] for event in told] != ["task-received", "task-started"]:
        return [*told, end]
    received, started = told
    known = {name: value for name, value in received.items() if value is not None}
    return [{**known, "received": received["timestamp"], "started": started["timestamp"], **end}]


class Events(events.Events):
    """Celery's `app.events`, with this dispatcher."""

    dispatcher_cls = Dispatcher  # type: ignore[assignment]


class Gathering(StartStopStep):
    """Of a worker's consumer: gives the dispatcher a timer, and sends what waits when the timer is asked no more."""

    requires = ("celery.worker.consumer.events:Events",)

    def include_if(self, consumer: Any) -> bool:
        """Whether there is an event loop; without one Celery lets no event wait."""
        return bool(consumer.hub)

    def start(self, consumer: Any) -> None:
        """Each connection to the broker has a dispatcher of its own."""
        seconds = consumer.app.conf.orchestrator_task_events_seconds
        if seconds:
            consumer.event_dispatcher.gather(consumer.timer, seconds)

    def close(self, consumer: Any) -> None:
        """A worker that drains says first what it still runs."""
        self._send_all(consumer)

    def shutdown(self, consumer: Any) -> None:
        """Then it says what ended meanwhile, before Celery closes the connection."""
        self._send_all(consumer)

    def _send_all(self, consumer: Any) -> None:
        if consumer.event_dispatcher:
            consumer.event_dispatcher.flush()
