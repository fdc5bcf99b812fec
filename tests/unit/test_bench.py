"""What the benchmark makes of its figures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bench.figures import Figures
from bench.report import GOALS, Report


def test_a_ratio_is_made_of_the_runs_that_stood_beside_each_other() -> None:
    ours, theirs = Figures.of([300.0, 200.0, 400.0]), Figures.of([100.0, 100.0, 400.0])

    assert ours.over(theirs).values == (3.0, 2.0, 1.0)
    assert ours.over(theirs).as_json() == {"minimum": 1.0, "median": 2.0, "maximum": 3.0}


def test_figures_without_a_run_and_ratios_of_unequal_runs_are_refused() -> None:
    with pytest.raises(ValueError, match="no run"):
        Figures.of([])
    with pytest.raises(ValueError, match="zip"):
        Figures.of([1.0]).over(Figures.of([1.0, 2.0]))


def test_a_goal_that_was_missed_is_said_to_be_missed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    report = Report(ratios={"steps_vs_celery": Figures.of([0.69]), "latency_vs_oc_best": Figures.of([0.41])})
    report.ratios["steps_vs_dbos"] = Figures.of([1.5])
    report.show()
    report.save(tmp_path / "results" / "latest.json")

    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line.startswith(tuple(GOALS))}
    assert lines["steps_vs_celery"].endswith("at least 0.7: missed")
    assert lines["latency_vs_oc_best"].endswith("at most 0.4: missed")
    assert lines["steps_vs_dbos"].endswith("at least 1.5: reached")
    saved = json.loads((tmp_path / "results" / "latest.json").read_text())
    assert saved["ratios"]["steps_vs_celery"]["median"] == 0.69
