"""`celery --app short_visibility worker`: a worker for whom messages are handed out again after five seconds."""

from __future__ import annotations

from orchestrator.bootstrap.workers import build_worker
from orchestrator.settings import read_settings

app = build_worker(read_settings())
app.conf.broker_transport_options = {
    **app.conf.broker_transport_options,
    "visibility_timeout": 5,
    "unacked_restore_interval": 1,
}
