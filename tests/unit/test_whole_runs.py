"""A run of tests that lost one, or skipped one where none may be, does not pass."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUARD = 'pytest_plugins = ["tests.whole_runs"]\n'
# Five tests with one id, as a plugin makes them that was written for an older pytest.
SAME_IDS = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_pycollect_makeitem(collector, name, obj):
    made = yield
    if name != "test_of_many":
        return made
    names = [f"{name}[{number}]" for number in range(5)]
    return [pytest.Function.from_parent(collector, name=each, callobj=obj, originalname=name) for each in names]
"""
# Two tests that no process is ever asked to run.
FORGETFUL = """
from xdist.scheduler import LoadScheduling

class Forgetful(LoadScheduling):
    def schedule(self):
        first = self.collection is None
        super().schedule()
        if first:
            del self.pending[-2:]

def pytest_xdist_make_scheduler(config, log):
    return Forgetful(config, log)
"""
MANY = "import pytest\n\n@pytest.mark.parametrize('number', range(40))\ndef test_of_many(number): pass\n"
TESTS = "def test_of_many(): pass\n\ndef test_of_one(): pass\n"
IN_TWO = ("-p", "xdist", "--numprocesses=2", "--dist=loadfile")


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.delenv("CI", raising=False)


@pytest.mark.parametrize("processes", [(), IN_TWO], ids=["one process", "two processes"])
def test_tests_with_the_same_id_fail_the_run(pytester: pytest.Pytester, processes: tuple[str, ...]) -> None:
    pytester.makeconftest(GUARD + SAME_IDS)
    pytester.makepyfile(test_it=TESTS)

    ran = pytester.runpytest_subprocess(*processes)

    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.assert_outcomes(passed=2 if processes else 6)
    ran.stdout.fnmatch_lines(["5 with the same id:", "test_it.py::test_of_many, 5 times"])
    if processes:
        ran.stdout.fnmatch_lines(["4 collected, and never reported:", "test_it.py::test_of_many, 4 times"])


def test_a_test_that_no_process_runs_fails_the_run(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(GUARD + FORGETFUL)
    pytester.makepyfile(test_it=MANY)

    ran = pytester.runpytest_subprocess("-p", "xdist", "--numprocesses=2")

    assert ran.ret == pytest.ExitCode.TESTS_FAILED
    ran.assert_outcomes(passed=38)
    ran.stdout.fnmatch_lines(["2 collected, and never reported:", "test_it.py::test_of_many?38?"])


@pytest.mark.parametrize("processes", [(), IN_TWO], ids=["one process", "two processes"])
@pytest.mark.parametrize(("ci", "ends"), [("true", pytest.ExitCode.TESTS_FAILED), ("", pytest.ExitCode.OK)])
def test_a_skipped_test_fails_the_run_where_none_may_be_skipped(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    processes: tuple[str, ...],
    ci: str,
    ends: pytest.ExitCode,
) -> None:
    monkeypatch.setenv("CI", ci)
    pytester.makeconftest(GUARD)
    pytester.makepyfile(test_it="import pytest\n\ndef test_some(): pass\n\ndef test_it(): pytest.skip('not here')\n")

    ran = pytester.runpytest_subprocess(*processes)

    assert ran.ret == ends
    ran.assert_outcomes(passed=1, skipped=1)


@pytest.mark.parametrize("arguments", [(), IN_TWO, ("--collect-only",), ("-k", "of_one")])
def test_a_whole_run_passes(pytester: pytest.Pytester, arguments: tuple[str, ...]) -> None:
    pytester.makeconftest(GUARD)
    pytester.makepyfile(test_it=TESTS)

    ran = pytester.runpytest_subprocess(*arguments)

    assert ran.ret == pytest.ExitCode.OK
    ran.stdout.no_fnmatch_line("*not whole*")
