"""A run passes only when all of it ran: each test that was collected has an id of its own and was reported to its end.

With pytest-xdist too, whose groups know tests by their ids: of several with the same id one runs, and nobody says so.
And with CI=true no test is skipped.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import pytest

SHOWN: Final = 20


class _Account:
    """What was collected, and what became of it, in the process that ends with the exit status of the run."""

    def __init__(self) -> None:
        self.collected: Counter[str] = Counter()
        self.reported: Counter[str] = Counter()
        self.skipped: Counter[str] = Counter()
        self.problems: list[str] = []

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self.collected = Counter(item.nodeid for item in session.items)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: Sequence[str]) -> None:
        """Take the ids of a process of pytest-xdist, which has compared them with those of the others."""
        self.collected = Counter(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.skipped[report.nodeid] += 1

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "teardown":
            self.reported[report.nodeid] += 1
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[report.nodeid] += 1

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        if exitstatus != pytest.ExitCode.OK or session.config.option.collectonly:
            return
        same = Counter({identifier: times for identifier, times in self.collected.items() if times > 1})
        self.problems = [
            *_told("collected, and never reported", self.collected - self.reported),
            *_told("with the same id", same),
            *(_told("skipped, although CI=true", self.skipped) if os.environ.get("CI") == "true" else ()),
        ]
        if self.problems:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        if self.problems:
            terminalreporter.section("this run was not whole", red=True)
            for problem in self.problems:
                terminalreporter.line(problem)


def _told(what: str, tests: Counter[str]) -> list[str]:
    """How many tests and which; nothing where there are none."""
    found = [
        identifier if times == 1 else f"{identifier}, {times} times" for identifier, times in sorted(tests.items())
    ]
    more = ["..."] if len(found) > SHOWN else []
    return [f"{tests.total()} {what}:", *found[:SHOWN], *more] if found else []


def pytest_configure(config: pytest.Config) -> None:
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Account(), "whole-runs")
