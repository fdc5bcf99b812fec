"""`python -m orchestrator.tasks.flower`: Celery's command line, whose Flower counts what one event tells of a task."""

from __future__ import annotations

from typing import Any

from celery.__main__ import main
from flower import events  # type: ignore[import-untyped]


class EventsState(events.EventsState):  # type: ignore[misc]
    """Flower's memory of workers and tasks."""

    def event(self, event: dict[str, Any]) -> None:
        """Take in an event; the end of a task may say when it was received and started."""
        for stage in ("received", "started"):
            if event["type"].startswith("task-") and stage in event:
                # Flower counts events: the tasks that a worker has processed are those it has received.
                worker, kind = event["hostname"], f"task-{stage}"
                self.counter[worker][kind] += 1
                self.metrics.events.labels(worker, kind, event["name"]).inc()
        super().event(event)


if __name__ == "__main__":
    events.EventsState = EventsState
    main()
