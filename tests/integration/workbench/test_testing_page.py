"""The page on testing is true: its tests are tests of the examples, and run as they are printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[3] / "docs" / "testing.md"


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


def test_the_tests_of_the_page_pass(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, orchestrator_server: object
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEST_DATABASE_URL", orchestrator_server.server.url)  # type: ignore[attr-defined]
    monkeypatch.delenv("ORCHESTRATOR_CATALOG", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(PAGE.parents[1]))
    pytester.makefile(".ini", pytest="".join(blocks("ini")))
    pytester.makepyfile(test_page="".join(blocks("python")))

    # In a process of its own: what packages say of their workflows when they are imported, other tests have taken back.
    ran = pytester.runpytest_subprocess("-q")
    ran.assert_outcomes(passed=len(re.findall("^def test_", "".join(blocks("python")), re.MULTILINE)))
