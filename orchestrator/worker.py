"""`celery --app orchestrator.worker worker`, and beat, and Flower."""

from orchestrator.bootstrap.workers import build_worker
from orchestrator.settings import read_settings

app = build_worker(read_settings())
