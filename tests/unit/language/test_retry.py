"""The policy by which a step is run again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import Retry


def test_pauses_grow_up_to_the_longest():
    policy = Retry(wait=2, factor=3, max_wait=20)
    assert [policy.pause(attempt) for attempt in (1, 2, 3, 4)] == [2, 6, 18, 20]
    assert Retry(wait=1, factor=10, max_wait=60).pause(5_000) == 60


@given(st.integers(1, 50), st.floats(0, 1))
def test_chance_shortens_a_pause_by_the_jitter_at_most(attempt, chance):
    policy = Retry(jitter=0.25)
    full = policy.pause(attempt)
    assert full * 0.75 <= policy.pause(attempt, chance) <= full


def test_a_step_runs_as_often_as_it_has_attempts():
    assert [Retry(attempts=3).again(OSError(), attempt) for attempt in (1, 2, 3)] == [True, True, False]
    assert Retry(attempts=None).again(OSError(), 1_000_000)


def test_only_the_named_errors_are_retried():
    policy = Retry(on=(ConnectionError, TimeoutError))
    assert policy.again(ConnectionResetError(), 1)
    assert not policy.again(ValueError(), 1)
    assert Retry(on=ValueError).again(UnicodeError(), 1)
    assert not Retry().again(KeyboardInterrupt(), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"attempts": 0},
        {"attempts": 1.5},
        {"attempts": True},
        {"wait": -1},
        {"wait": float("nan")},
        {"wait": "1"},
        {"factor": 0.5},
        {"jitter": 1.1},
        {"wait": 10, "max_wait": 5},
        {"max_wait": float("inf")},
        {"max_wait": 1e13},
        {"on": ()},
        {"on": "ValueError"},
        {"on": (ValueError, 3)},
        {"on": KeyboardInterrupt},
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(AuthoringError, match=f"Retry: {list(wrong)[-1]} must be"):
        Retry(**wrong)
