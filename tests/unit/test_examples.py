"""The tests of the examples use what any author has: the workbench, and no other part of the orchestrator."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = sorted((ROOT / "tests" / "product_workflows").rglob("*.py"))
ALLOWED = {"orchestrator", "orchestrator.testing"}


def modules_of(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.name)
def test_the_examples_are_tested_with_the_workbench_alone(file: Path) -> None:
    ours = {name for name in modules_of(file) if name.partition(".")[0] in ("orchestrator", "tests")}
    assert {name for name in ours if not name.startswith("tests.product_workflows.")} - ALLOWED == set()


def test_the_workbench_is_used() -> None:
    assert any("orchestrator.testing" in modules_of(file) for file in TESTS)
