"""The web application of orchestrator-core."""

from __future__ import annotations

from core_program import build_application

application = build_application()
