"""The only reader of the environment in this package."""

from __future__ import annotations

import os


def lab_url() -> str:
    """Where ESDB and NSO answer: `LAB_URL`, else the port that the lab takes by itself."""
    return os.environ.get("LAB_URL", "http://127.0.0.1:8099").rstrip("/")
