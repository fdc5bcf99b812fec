"""A short storm over the Procfile's processes: the kinds of fault that need no long wait, once or twice each."""

from __future__ import annotations

import json
from pathlib import Path
from shutil import rmtree

import pytest

from tests.chaos.__main__ import main
from tests.chaos.harness import run
from tests.chaos.plan import Plan

SHORT = (
    "kill_child",
    "kill_worker",
    "sigterm_worker",
    "kill_clock",
    "kill_web",
    "restart_broker",
    "flush_broker",
    "copy_messages",
    "pause_engine",
)


def test_a_short_storm_loses_nothing_and_repeats_nothing() -> None:
    lines: list[str] = []
    report = run(Plan(1, SHORT, processes=12, strikes=1, workers=2, step_seconds=0.2), lines.append)
    assert report.violations == [], "\n".join([*lines, report.text()])
    assert sorted(report.recovery) == sorted(SHORT)
    assert report.figures["steps"] == 120


@pytest.mark.slow
def test_a_storm_that_finds_nothing_to_strike_counts_as_failed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = tmp_path / "results" / "chaos.json"
    words = ["--seed", "3", "--processes", "0", "--strikes", "1", "--kinds", "kill_child", "--workers", "1"]
    assert main([*words, "--results", str(results)]) == 1
    told = json.loads(results.read_text())
    assert told["seed"] == 3
    assert told["recovery_seconds"] == {}
    assert told["violations"] == ["kill_child struck 0 times while a step was claimed, not 1"]
    said = capsys.readouterr().out
    assert "seed 3 (make chaos SEED=3 repeats it)" in said
    assert f"VIOLATION: {told['violations'][0]}" in said
    logs = Path(said.strip().rpartition("the logs are in ")[2])
    assert {"web-1.log", "worker-1.log", "beat-1.log", "processes.jsonl"} <= {file.name for file in logs.iterdir()}
    rmtree(logs)
