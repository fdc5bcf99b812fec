"""Celery's settings, constants only. What depends on the environment is added by `orchestrator.tasks.application`.

A message is a doorbell, PostgreSQL is the truth: see `docs/design.md`. The first block is what the protocol rests on.
"""

task_acks_late = True
task_reject_on_worker_lost = True
task_ignore_result = True
worker_prefetch_multiplier = 1
worker_pool = "orchestrator.tasks.prefork:TaskPool"
worker_enable_prefetch_count_reduction = False
worker_cancel_long_running_tasks_on_connection_loss = False

accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
event_serializer = "json"

timezone = "UTC"
enable_utc = True

task_default_queue = "workflows"
task_create_missing_queues = True
task_publish_retry = False

worker_send_task_events = False
task_send_sent_event = False
worker_soft_shutdown_timeout = 20.0
worker_enable_soft_shutdown_on_idle = False
worker_hijack_root_logger = False
worker_redirect_stdouts = False
worker_max_tasks_per_child = 10_000

broker_connection_retry_on_startup = True
broker_connection_timeout = 4.0
broker_connection_max_retries = None
broker_heartbeat = 30
broker_transport_options = {
    "visibility_timeout": 86_400,
    "unacked_restore_interval": 60,
    "socket_connect_timeout": 4.0,
    "socket_timeout": 30.0,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "global_keyprefix": "orchestrator:",
    # Bells have no priorities: without this a worker asks for four lists for each queue, again after each message.
    "priority_steps": [0],
    # A bell goes to the worker that has waited longest since it last asked, which each does anew after this time. With
    # that of the clock's tick it would be the same worker at each: the one that has just given back a step whose code
    # it lacks.
    "polling_interval": 2.3,
    # Of a publisher's connection: who rings for a step does not wait for a broker that is gone, the sweep rings later.
    "max_retries": 0,
}

beat_max_loop_interval = 1
