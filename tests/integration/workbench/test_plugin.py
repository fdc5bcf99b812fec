"""The pytest plugin, as other people's test runs have it."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator import testing
from orchestrator.testing.servers import DatabaseServer

NAMES = """
Workbench BenchProcess BenchStep BenchSubscription BenchForm BenchPage Refused AnswersRefused AnswersMissing
""".split()  # noqa: SIM905 - read as words
HEAVY = ("sqlalchemy", "psycopg", "pydantic", "celery", "flask", "structlog")


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(testing.__all__) == sorted(NAMES)
    assert all(getattr(testing, name).__doc__ for name in NAMES)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        testing.nothing  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(testing.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(NAMES)


def test_a_run_that_does_not_use_it_loads_nothing_of_it(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text(
        f"import sys\n\n\ndef test_nothing_heavy_is_there():\n    assert not set({HEAVY!r}) & set(sys.modules)\n"
    )
    command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider", "-p", "no:schemathesis"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert "1 passed" in ran.stdout, ran.stdout + ran.stderr


@pytest.fixture
def project(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, database_server: DatabaseServer) -> Path:
    """A folder of somebody else's, with a package and a test of it."""
    monkeypatch.setenv("ORCHESTRATOR_TEST_DATABASE_URL", database_server.url)
    monkeypatch.delenv("ORCHESTRATOR_CATALOG", raising=False)
    package = pytester.mkpydir("somebodys")
    (package / "__init__.py").write_text("def register(catalog):\n    pass\n")
    pytester.syspathinsert()
    pytester.makepyfile(test_it="def test_it(workbench):\n    workbench.start('nothing')\n")
    return pytester.path


def test_a_catalog_that_cannot_be_loaded_says_so(pytester: pytest.Pytester, project: Path) -> None:
    ran = pytester.runpytest_inprocess("-o", "orchestrator_catalog=not_there")
    ran.stdout.fnmatch_lines("*names the package 'not_there', which cannot be imported*")
    ran.assert_outcomes(errors=1)


@pytest.mark.parametrize("way", ["option", "variable"])
def test_the_catalog_is_named_by_the_option_or_the_variable(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    if way == "variable":
        monkeypatch.setenv("ORCHESTRATOR_CATALOG", "somebodys")
    else:
        monkeypatch.setenv("ORCHESTRATOR_CATALOG", "another")
        pytester.makeini("[pytest]\norchestrator_catalog = somebodys\n")
    ran = pytester.runpytest_inprocess()
    ran.stdout.fnmatch_lines("*Refused: the form of nothing: there is no workflow 'nothing'*")
    ran.assert_outcomes(failed=1)


def test_a_server_that_does_not_answer_fails_the_tests_instead_of_skipping_them(
    pytester: pytest.Pytester, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_TEST_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    ran = pytester.runpytest_inprocess()
    ran.stdout.fnmatch_lines("*no PostgreSQL for the tests: ORCHESTRATOR_TEST_DATABASE_URL: *")
    ran.assert_outcomes(errors=1)
