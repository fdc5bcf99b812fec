"""Whom the sweep rings for because no bell is there: compared with the bells of the queue that theirs go to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from orchestrator.engine import forgotten
from orchestrator.engine.sweep import Sweep
from orchestrator.language.step_list import StepList
from orchestrator.language.steps import done, init
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from tests.integration.engine.engine_on_test import EngineOnTest


@pytest.fixture
def sweep(engine: EngineOnTest) -> Iterator[Sweep]:
    queues = {False: "workflows", True: "tasks"}
    made = Sweep(engine.url, queue_of=lambda target, is_task: "checks" if target == "VALIDATE" else queues[is_task])
    yield made
    made.close()


def nothing_to_do() -> Workflow:
    @workflow("Nothing to do")
    def idle() -> StepList:
        return init >> done

    return idle


def rung_long_ago(engine: EngineOnTest, count: int, **values: object) -> list[int]:
    """Processes that wait for a worker, the first of them for the longest time."""
    seqs = [engine.start(nothing_to_do()) for _ in range(count)]
    for seq in seqs:
        engine.change(seq, rung_at=engine.process(seq).started_at.replace(year=2000 + seq), **values)
    return seqs


def found(sweep: Sweep, **lengths: int) -> list[int]:
    return [ring.seq for ring in sweep.find(lambda: lengths)]


def test_as_many_are_rung_for_as_have_no_bell_and_none_while_the_broker_is_away(
    engine: EngineOnTest, sweep: Sweep
) -> None:
    seqs = rung_long_ago(engine, 5)
    assert found(sweep, workflows=5) == []
    assert sweep.find(lambda: None) == []
    assert found(sweep, workflows=3) == seqs[:2]
    assert found(sweep) == seqs[2:]
    assert found(sweep) == []


def test_bells_of_one_queue_hide_nobody_of_another(engine: EngineOnTest, sweep: Sweep) -> None:
    rung_long_ago(engine, 2, target="VALIDATE")
    tasks = rung_long_ago(engine, 2, is_task=True)
    workflows = rung_long_ago(engine, 2)
    rings = found(sweep, checks=1_000, tasks=0, workflows=1)
    assert sorted(rings) == sorted([*tasks, workflows[0]])


def test_a_queue_that_seems_to_have_all_its_bells_is_doubted_after_a_while(
    engine: EngineOnTest, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(forgotten, "monotonic", lambda: now)
    seqs = rung_long_ago(engine, 3)
    rung = []
    for _ in range(600):
        rung.append(found(sweep, workflows=5_000))
        now += 1
    assert [(second, one) for second, one in enumerate(rung) if one] == [
        (60, seqs[:1]),
        (180, seqs[1:2]),
        (420, seqs[2:]),
    ]


def test_a_queue_that_was_empty_in_between_is_trusted_again(
    engine: EngineOnTest, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(forgotten, "monotonic", lambda: now)
    (first,) = rung_long_ago(engine, 1)
    assert found(sweep, workflows=9) == []
    now += 59
    engine.change(first, status="completed")
    assert found(sweep, workflows=9) == []
    (second,) = rung_long_ago(engine, 1)
    assert found(sweep, workflows=9) == []
    now += 59
    assert found(sweep, workflows=9) == []
    now += 1
    assert found(sweep, workflows=9) == [second]


def test_who_was_rung_for_a_moment_ago_is_not_doubted(
    engine: EngineOnTest, sweep: Sweep, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr(forgotten, "monotonic", lambda: now)
    engine.start(nothing_to_do())
    assert found(sweep, workflows=1) == []
    now += 3_600
    assert found(sweep, workflows=1) == []
    engine.query("UPDATE processes SET rung_at = rung_at - interval '1 minute'")
    now += 3_600
    assert found(sweep, workflows=1) != []
