"""A step costs the same wherever it stands in its process, and however large the state is that it finds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from statistics import median

import pytest

from orchestrator.language.steps import begin
from orchestrator.language.workflows import task
from orchestrator.storage.database import Database
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.growth.test_hot_tables import counting

STEPS = 600
LARGE = "".join(random.Random(7).choices("abcdefghijklmnopqrstuvwxyz", k=100_000))


@pytest.fixture
def engine(database: Database, database_url: str) -> Iterator[EngineOnTest]:
    made = EngineOnTest(database, database_url)
    yield made
    made.close()


@task("Counts for long")
def counts_for_long() -> object:
    steps = begin
    for number in range(STEPS):
        steps = steps >> counting(number)  # type: ignore[operator]
    return steps


@pytest.mark.slow
def test_a_late_step_of_a_long_process_with_a_large_state_costs_what_an_early_one_costs(engine: EngineOnTest) -> None:
    seq = engine.start(counts_for_long, {"large": LARGE})
    reports = engine.run(seq)
    assert reports[-1].status == "completed"

    steps = engine.steps(seq)
    took = [(step.completed_at - step.started_at).total_seconds() for step in steps]
    early, late = median(took[20:120]), median(took[-101:-1])
    assert late < 1.5 * early, f"{1000 * early:.2f} ms early, {1000 * late:.2f} ms late"
