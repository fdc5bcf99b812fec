"""The Celery application of orchestrator-core's worker."""

from __future__ import annotations

from core_program import build_worker

application = build_worker()
