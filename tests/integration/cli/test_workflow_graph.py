"""`orchestrator workflow graph`: it reads the code, and asks no server."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from orchestrator.services.catalog_packages import load_catalog
from orchestrator.settings import Settings
from tests.integration.cli.conftest import Run

CATALOG = "tests.integration.cli.catalog_of_world"


def test_a_workflow_is_drawn_without_any_server(run: Run) -> None:
    ended = run("workflow", "graph", "plain_task", catalog=CATALOG)
    assert ended.exit_code == 0, ended.output
    assert 's2["Fails while told to<br/>may_fail"]' in ended.stdout


@pytest.mark.parametrize("words", [["--format", "svg", "--output", "drawn"], ["--output", "drawn.svg"]])
def test_a_picture_goes_into_a_file(run: Run, words: list[str]) -> None:
    ended = run("workflow", "graph", "plain_task", *words, catalog=CATALOG)
    assert (ended.exit_code, ended.output) == (0, "")
    assert ElementTree.fromstring(Path(words[-1]).read_text()).tag.endswith("svg")


def told_of(run: Run, name: str) -> str:
    ended = run("workflow", "graph", name, catalog=CATALOG)
    assert ended.exit_code == 3
    return ended.stderr


def test_a_workflow_that_is_not_there_is_told_with_those_that_are(run: Run) -> None:
    there = ", ".join(sorted(load_catalog(Settings(catalog=CATALOG)).workflows))
    none = "There is no workflow {!r} in ORCHESTRATOR_CATALOG; {}"
    assert none.format("something", f"it has {there}.") in told_of(run, "something")
    assert none.format("plain_tusk", "did you mean plain_task?") in told_of(run, "plain_tusk")


def test_a_file_that_cannot_be_written_and_a_format_that_there_is_not_are_told(run: Run) -> None:
    ended = run("workflow", "graph", "plain_task", "--output", "no/such/folder.svg", catalog=CATALOG)
    assert ended.exit_code != 0
    assert "no/such/folder.svg" in ended.stderr
    assert run("workflow", "graph", "plain_task", "--format", "png", catalog=CATALOG).exit_code == 2
