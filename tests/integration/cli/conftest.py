"""The command line in this process, on real servers, with nothing set but what a test sets."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator.bootstrap.command_line import build_tools
from orchestrator.cli import diagnosis
from orchestrator.cli.main import build_group
from orchestrator.domain.registry import product_models

Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Runs `orchestrator WORDS...` in an empty folder; keywords are settings, `input` is standard input."""
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    # Put back at the end: loading a catalog replaces the models that this process knows.
    monkeypatch.setattr(product_models, "_products", {})
    monkeypatch.setattr(diagnosis, "WORKER_PATIENCE", 0.5)
    group = build_group(build_tools)

    def run_command(*words: str, input: str | None = None, **settings: str) -> Result:
        for name, value in settings.items():
            monkeypatch.setenv(f"ORCHESTRATOR_{name.upper()}", value)
        return CliRunner().invoke(group, list(words), input=input)

    return run_command
