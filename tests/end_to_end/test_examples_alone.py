"""The tests of the examples by themselves, as an author's are run."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.up_on_test import clean_environment

ROOT = Path(__file__).parents[2]
# Twenty seconds on two cores. What else a busy machine does meanwhile is not counted.
MOST_CPU_SECONDS = 40


@pytest.mark.slow
def test_the_tests_of_the_examples_need_no_broker_and_little_time() -> None:
    environment = clean_environment(ORCHESTRATOR_BROKER_URL="redis://127.0.0.1:1/0", CI="true")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/product_workflows"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)

    assert ran.returncode == 0, ran.stdout[-5_000:]
    assert " skipped" not in ran.stdout
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < MOST_CPU_SECONDS, f"{used:.0f} s of CPU"
