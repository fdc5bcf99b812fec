"""The one Celery task that runs steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from celery import Celery, Task

from orchestrator.engine.bell import Bell
from orchestrator.engine.runner import StepRunner
from orchestrator.errors import StepFailedError
from orchestrator.tasks.bell import RUN_STEP


def register_run_step(application: Celery, runner: Callable[[], StepRunner], bell: Bell) -> None:
    """Add the task to the application.

    Args:
        application: the Celery application.
        runner: gives the step runner of this worker child.
        bell: rings for the step after this one.
    """

    def run_step(task: Task[Any, Any], /, *, seq: int, **_: Any) -> str:
        report = runner().run(seq, task.request.id)
        if report is None:
            return "nothing to do"
        if report.rings:
            bell.ring(report.rings)
        if report.failure is not None:
            raise StepFailedError(report.failure)
        return str(report.status)

    application.task(bind=True, name=RUN_STEP, throws=(StepFailedError,), shared=False)(run_step)
