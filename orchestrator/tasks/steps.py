"""The one Celery task that runs steps."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from celery import Celery, Task

from orchestrator.engine.bell import Bell
from orchestrator.engine.runner import StepReport, StepRunner
from orchestrator.errors import StepFailedError
from orchestrator.tasks.bell import RUN_STEP


def register_run_step(
    application: Celery,
    runner: Callable[[], StepRunner],
    bell: Bell,
    burst_seconds: float = 0.0,
    is_told_to_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Add the task to the application.

    Args:
        application: the Celery application.
        runner: gives the step runner of this worker child.
        bell: rings for the step after this one.
        burst_seconds: how long a child may go on with the steps of one process before it rings for the next. Each is
            claimed and recorded on its own; only the message between them is left out.
        is_told_to_stop: whether this worker is to end; then the step that runs is the last of its burst.
    """

    def run_step(task: Task[Any, Any], /, *, seq: int, **_: Any) -> str:
        burst_ends = time.monotonic() + burst_seconds

        def goes_on() -> bool:
            return time.monotonic() < burst_ends and not is_told_to_stop()

        recorded: list[StepReport] = []
        # A child that dies in a burst leaves the message of its first step with the broker, as it would after one step.
        for report in runner().burst(seq, task.request.id, goes_on):
            recorded.append(report)
            if report.rings:
                bell.ring(report.rings)
            if report.failure is not None:
                raise StepFailedError(report.failure)
        return _ended(recorded)

    application.task(bind=True, name=RUN_STEP, throws=(StepFailedError,), shared=False)(run_step)


def _ended(recorded: list[StepReport]) -> str:
    """What Flower shows as the result."""
    match recorded:
        case []:
            return "nothing to do"
        case [one]:
            return str(one.status)
        case [first, *_, last]:
            return f"{last.status}, {len(recorded)} steps in one burst: {first.step_key} to {last.step_key}"
    raise AssertionError
