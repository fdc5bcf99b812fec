"""Tables for people on a terminal."""

from __future__ import annotations

from uuid import uuid4

import pytest

from orchestrator.cli.output import print_table


def test_ids_stay_in_one_piece_and_nothing_is_cut_off_on_a_narrow_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    one, other = uuid4(), uuid4()
    print_table(("process", "workflow", "parent"), [(one, "task_validate_subscriptions_of_all", other)])
    told = capsys.readouterr().out
    assert str(one) in told
    assert "…" not in told
