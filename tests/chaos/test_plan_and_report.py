"""The plan of a storm, and when its report is one of failure."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.chaos.kinds import FAULTS
from tests.chaos.plan import Plan
from tests.chaos.report import Report, Total

ALL = tuple(FAULTS)


def report(seed: int = 1, violations: tuple[str, ...] = (), **recovery: list[float]) -> Report:
    return Report(Plan(seed, ALL), Path(), 60.0, list(violations), recovery, recovery)


def test_the_same_seed_makes_the_same_plan_and_another_seed_another_one() -> None:
    plan, again, other = Plan(7, ALL), Plan(7, ALL), Plan(8, ALL)
    assert plan.rounds() == again.rounds()
    assert plan.rounds() != other.rounds()
    first = plan.rounds()[0]
    assert plan.dice(first).random() == again.dice(first).random()
    assert plan.dice(first).random() != other.dice(first).random()


def test_every_kind_of_fault_strikes_five_times_and_in_each_of_its_ways() -> None:
    rounds = Plan(7, ALL).rounds()
    assert Counter(each.kind for each in rounds) == dict.fromkeys(ALL, 5)
    assert {(each.kind, each.other_way) for each in rounds} == {(kind, way) for kind in ALL for way in (False, True)}


def test_a_kind_of_fault_that_takes_too_long_to_recover_from_is_a_violation() -> None:
    assert Total([report(kill_child=[0.5, 0.5, 1.9, 8.0, 9.0])]).violations == []
    assert Total([report(kill_child=[9.0])]).violations == []
    assert Total([report(kill_child=[0.5, 0.5, 2.2, 8.0, 9.0])]).violations == [
        "kill_child: half of the strikes took more than 2.20 s to recover from, 2 s are allowed"
    ]


def test_runs_are_summed_up_over_all_their_strikes() -> None:
    total = Total([report(1, kill_child=[0.5, 0.7]), report(2, ("seen",), kill_child=[1.2], kill_web=[4.0])])
    told = total.as_json()
    assert told["seeds"] == [1, 2]
    assert told["recovery_seconds"]["kill_child"] == {
        "minimum": 0.5,
        "median": 0.7,
        "maximum": 1.2,
        "each": [0.5, 0.7, 1.2],
    }
    assert told["recovery_seconds"]["kill_web"]["median"] == 4.0
    assert told["violations"] == ["seed 2: seen"]
    assert "2 runs, 1 without a violation" in total.text()
    assert total.rows() == [
        "| `kill_child` | 3 | 0.50 | 0.70 | 1.20 | 2 |",
        "| `kill_web` | 1 | 4.00 | 4.00 | 4.00 |  |",
    ]
