"""The Celery application of workers, beat and Flower, and of those who only ring."""

from __future__ import annotations

from celery import Celery
from kombu import Queue

from orchestrator.settings import Settings
from orchestrator.tasks import rabbitmq, transport
from orchestrator.tasks.events import Events, Gathering
from orchestrator.tasks.rabbitmq import is_rabbitmq, quorum_queue, rabbitmq_settings

WORKFLOWS = "workflows"
TASKS = "tasks"


def build_application(settings: Settings) -> Celery:
    """A Celery application with the project's constants and what the settings say.

    Raises:
        SettingsError: no broker is named.
    """
    transport.use_this_transport()
    rabbitmq.use_this_transport()
    url = settings.require_broker_url()
    names = queue_names(settings)
    application = Celery("orchestrator", events=Events)
    application.steps["consumer"].add(Gathering)
    application.config_from_object("orchestrator.celeryconfig")
    application.conf.update(
        broker_url=url,
        worker_concurrency=settings.worker_concurrency,
        worker_send_task_events=settings.task_events,
        orchestrator_task_events_seconds=settings.task_events_seconds,
        worker_soft_shutdown_timeout=settings.shutdown_seconds,
        task_queues=[Queue(name) for name in names],
    )
    if is_rabbitmq(url):
        application.conf.update(rabbitmq_settings(), task_queues=[quorum_queue(name) for name in names])
    return application


def queue_names(settings: Settings) -> list[str]:
    """All queues that workers read: workflows, tasks, and those that targets were given."""
    return sorted({WORKFLOWS, TASKS, *settings.target_queues.values()})


def queue_for(settings: Settings, target: str, is_task: bool) -> str:
    """The queue for a process: its target's own, or that of tasks or workflows."""
    return settings.target_queues.get(target) or (TASKS if is_task else WORKFLOWS)
