"""The state before a step, from where a generation began and what its steps changed."""

from __future__ import annotations

from orchestrator.language.history import Beginning, Recorded, present_state, state_before

STARTED = [Beginning(1, {"given": 1})]
DONE = [
    Recorded(1, "a", {"a": 1}),
    Recorded(1, "b", {"b": 1, "a": 2}),
    Recorded(1, "c", {"c": 1}, ("given",)),
]
PRESENT = {"a": 2, "b": 1, "c": 1}


def test_the_state_before_a_step_has_what_the_steps_before_it_changed() -> None:
    assert state_before(["a", "b", "c"], STARTED, DONE, PRESENT) == {"given": 1}
    assert state_before(["b", "c"], STARTED, DONE, PRESENT) == {"given": 1, "a": 1}
    assert state_before(["c"], STARTED, DONE, PRESENT) == {"given": 1, "a": 2, "b": 1}


def test_before_a_step_that_was_not_recorded_the_state_is_the_present_one() -> None:
    found = state_before([], STARTED, DONE, PRESENT)
    assert found == PRESENT
    assert found is not PRESENT


def test_the_last_time_that_a_step_ran_counts() -> None:
    beginnings = [*STARTED, Beginning(2, {"given": 1, "a": 1})]
    done = [*DONE, Recorded(2, "b", {"b": 2})]
    assert state_before(["c"], beginnings, done, {}) == {"given": 1, "a": 2, "b": 1}
    assert state_before(["b"], beginnings, done, {}) == {"given": 1, "a": 1}
    assert state_before(["a", "b"], beginnings, done, {}) == {"given": 1}
    assert state_before(["c"], beginnings, [*done, Recorded(2, "c", {})], {}) == {"given": 1, "a": 1, "b": 2}


def test_of_a_step_that_never_ran_the_next_one_that_did_tells() -> None:
    assert state_before(["inserted", "c"], STARTED, DONE, PRESENT) == {"given": 1, "a": 2, "b": 1}


def test_a_key_that_was_removed_and_set_again_is_there() -> None:
    done = [Recorded(1, "a", {}, ("given",)), Recorded(1, "b", {"given": 2}), Recorded(1, "c", {})]
    assert state_before(["c"], STARTED, done, {}) == {"given": 2}
    assert state_before(["b"], STARTED, done, {}) == {}


def test_without_the_beginning_of_its_generation_there_is_no_state() -> None:
    assert state_before(["b"], [], DONE, PRESENT) is None


def test_the_present_state_is_the_one_that_a_generation_began_with_and_what_its_steps_changed() -> None:
    assert present_state({"given": 1}, [(one.delta, one.removed) for one in DONE]) == PRESENT
    assert present_state({"given": 1, "a": 1}, [({"b": 2}, ["a", "none"]), ({}, [])]) == {"given": 1, "b": 2}


def test_what_steps_changed_before_a_beginning_in_their_generation_is_not_undone() -> None:
    changes = [(one.delta, one.removed) for one in DONE]
    assert present_state(PRESENT, changes) == PRESENT
    assert present_state(PRESENT, [*changes, ({"a": 3}, ())]) == {"a": 3, "b": 1, "c": 1}


def test_a_step_that_takes_a_key_out_and_sets_it_has_set_it() -> None:
    assert present_state({"a": 1}, [({"a": 2}, ["a"])]) == {"a": 2}


def test_the_keys_of_the_present_state_are_in_the_order_of_their_bytes_the_shortest_first() -> None:
    state = {"zz": 1, "b": 2, "\u00e9": 3, "aaa": 4, "A": 5, "\U0001f600": 6}
    assert list(present_state(state, [])) == ["A", "b", "zz", "\u00e9", "aaa", "\U0001f600"]


def test_the_state_that_it_began_with_is_not_changed() -> None:
    began = {"given": 1}
    present_state(began, [({"a": 1}, ["given"])])
    assert began == {"given": 1}
