"""Tables for people on a terminal."""

from __future__ import annotations

import re
from uuid import uuid4

import pytest

from orchestrator.cli.output import print_table


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")


ROWS = [(uuid4(), "suspended", "task_validate_subscriptions_of_all", "with a very\nlong description", "me")]
COLUMNS = ("process", "status", "workflow", "description", "by")


@pytest.mark.usefixtures("narrow")
def test_on_a_narrow_terminal_a_line_that_is_cut_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    head, row = re.sub(r"\x1b\[\d+m", "", capsys.readouterr().out).splitlines()
    assert (len(head), len(row)) == (80, 80)
    assert row.startswith(f"{ROWS[0][0]}  suspended  ")
    assert (head[-1], row[-1]) == ("…", "…")


@pytest.mark.usefixtures("narrow")
def test_on_a_terminal_that_is_wide_enough_nothing_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS[:2], [row[:2] for row in ROWS])
    assert "…" not in capsys.readouterr().out


def test_into_a_pipe_each_row_is_a_whole_line(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(COLUMNS, ROWS)
    head, row = capsys.readouterr().out.splitlines()
    assert head.split() == list(COLUMNS)
    assert row.endswith("task_validate_subscriptions_of_all  with a very long description  me")
