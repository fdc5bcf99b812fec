"""Calling a step's function, through its conditions and lenses."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from orchestrator.errors import ArgumentError, AuthoringError, MissingParameterError, StepResultError
from orchestrator.language.calling import Prepared, focus_on, prepare
from orchestrator.language.outcomes import Done, Skipped
from orchestrator.language.steps import begin, conditional, focussteps, resync, step, steplens
from orchestrator.language.vocabulary import REMOVED, State


class Model:
    subscription_id = UUID(int=1)

    @classmethod
    def from_subscription(cls, subscription_id: UUID) -> Model:
        return cls()


class Loader:
    def load(self, annotation: Any, identifier: UUID) -> object:
        return annotation.from_subscription(identifier)


def outcome(one: Any, state: State, **extras: object) -> Done | Skipped:
    prepared = prepare(one, state, Loader(), extras)
    return prepared.call() if isinstance(prepared, Prepared) else prepared


def returning(value: Any) -> Any:
    return step("Do it")(lambda: value)


def test_what_a_step_returns_is_its_delta():
    @step("Add")
    def add(one: int, state: State) -> State:
        state["one"] = 100
        return {"two": one + 1}

    before = {"one": 1}
    assert outcome(add, before) == Done({"two": 2})
    assert before == {"one": 1}


def test_no_return_is_no_change():
    assert outcome(returning(None), {"a": 1}) == Done({}, ())


def test_removed_keys_leave_the_delta():
    assert outcome(returning({"a": REMOVED, "b": 2, "c": None}), {"a": 1}) == Done({"b": 2, "c": None}, ("a",))


def test_live_models_stay_in_the_delta():
    @step("Load")
    def load(subscription: Model) -> State:
        return {"subscription": subscription, "more": [subscription]}

    done = outcome(load, {"subscription": str(UUID(int=1))})
    assert isinstance(done, Done)
    assert isinstance(done.delta["subscription"], Model)
    assert done.delta["more"] == [done.delta["subscription"]]


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ([], "returned a value of type list, not a dict"),
        ("text", "returned a value of type str, not a dict"),
        ({}, None),
        (False, "returned a value of type bool, not a dict"),
        ((one for one in ()), "returned a value of type generator, not a dict; a function with a yield is a form"),
        ({1: 2}, "returned a dict with the key 1 of type int, not text"),
        ({None: 2}, "returned a dict with the key None of type NoneType"),
    ],
)
def test_a_result_that_is_no_dict_is_refused_naming_step_and_type(value, words):
    if words is None:
        assert outcome(returning(value), {}) == Done()
        return
    with pytest.raises(StepResultError, match=rf"^Step 'Do it' \(key do_it\) of create_node {words}"):
        outcome(returning(value), {"workflow_name": "create_node"})


def test_what_the_function_raises_passes_through():
    @step("Break")
    def break_it() -> State:
        raise ZeroDivisionError("by hand")

    with pytest.raises(ZeroDivisionError, match="by hand"):
        outcome(break_it, {})


def test_nothing_runs_before_it_is_told_to():
    ran = []

    @step("Note")
    def note() -> State:
        ran.append(1)
        return {}

    prepared = prepare(note, {}, Loader())
    assert ran == []
    assert isinstance(prepared, Prepared)
    result = prepared.run()
    assert (ran, result, prepared.settle(result)) == ([1], {}, Done())


def test_arguments_fail_before_the_function_runs():
    @step("Needs")
    def needs(number: int) -> State:
        raise AssertionError("ran")

    with pytest.raises(MissingParameterError, match=r"Step 'Needs' \(key needs\) of w: parameter 'number'"):
        prepare(needs, {"workflow_name": "w"}, Loader())
    with pytest.raises(ArgumentError, match="'number' should be int"):
        prepare(needs, {"number": "x"}, Loader())


def test_a_step_is_handed_the_extras():
    @step("Send")
    def send(idempotency_key: str, process_id: UUID) -> State:
        return {"sent": [idempotency_key, str(process_id)]}

    done = outcome(send, {}, idempotency_key="k", process_id=UUID(int=2))
    assert done == Done({"sent": ["k", str(UUID(int=2))]})


def test_a_condition_decides_anew_before_each_step():
    steps = conditional(lambda state: not state.get("stop"))(begin >> returning({"stop": True}) >> returning({"b": 1}))

    first = outcome(steps[0], {})
    assert first == Done({"stop": True})
    assert outcome(steps[1], {"stop": True}) == Skipped()
    assert outcome(steps[1], {"stop": False}) == Done({"b": 1})


def test_the_outer_condition_is_asked_first_and_may_shield_the_inner_one():
    def inner(state: State) -> bool:
        raise AssertionError("asked")

    wrapped = conditional(lambda state: False)(conditional(inner)(returning({})))[0]
    assert outcome(wrapped, {}) == Skipped()


def test_a_condition_inside_a_lens_sees_the_part():
    seen = []
    inside = focussteps("port")(conditional(lambda state: bool(seen.append(state)) or True)(returning({"x": 1})))[0]
    outside = conditional(lambda state: bool(seen.append(state)) or True)(focussteps("port")(returning({"x": 1})))[0]

    state = {"port": {"a": 1}, "b": 2}
    assert outcome(inside, state) == outcome(outside, state) == Done({"port": {"a": 1, "x": 1}})
    assert seen == [{"a": 1}, state]


def test_a_predicate_that_changes_the_state_changes_nothing():
    before = {"a": {"b": 1}}
    wrapped = conditional(lambda state: state["a"].update(b=2) is None)(returning({"c": 1}))[0]
    assert outcome(wrapped, before) == Done({"c": 1})
    assert before == {"a": {"b": 1}}


def test_a_predicate_in_a_lens_changes_a_copy_of_its_part():
    before = {"port": {"a": {"b": 1}}, "other": [1]}
    predicate = conditional(lambda part: part["a"].update(b=2) is None)
    assert outcome(focussteps("port")(predicate(returning({"c": 1})))[0], before) == Done(
        {"port": {"a": {"b": 2}, "c": 1}}
    )
    assert before == {"port": {"a": {"b": 1}}, "other": [1]}


def test_a_focused_step_reads_and_writes_its_part_only():
    @step("Rename")
    def rename(name: str, state: State) -> State:
        return {"name": name.upper(), "size": len(state), "old": REMOVED}

    focused = focussteps("port")(rename)[0]
    state = {"port": {"name": "xe", "old": 1}, "name": "outer", "other": [1]}
    assert outcome(focused, state) == Done({"port": {"name": "XE", "size": 2}})


def test_focus_on_a_missing_key_starts_empty():
    assert outcome(focussteps("port")(returning({"a": 1}))[0], {}) == Done({"port": {"a": 1}})
    assert outcome(focussteps("port")(returning(None))[0], {}) == Done()


def test_focus_on_something_that_is_no_object_is_refused():
    with pytest.raises(StepResultError, match="the get of its lens gave a value of type list, not a dict"):
        outcome(focussteps("port")(returning({}))[0], {"port": [1]})


def test_lenses_may_be_nested():
    nested = focussteps("node")(focussteps("port")(returning({"up": True})))[0]
    state = {"node": {"port": {"name": "xe"}, "name": "ams"}, "b": 1}
    assert outcome(nested, state) == Done({"node": {"port": {"name": "xe", "up": True}, "name": "ams"}})


def test_a_lens_of_ones_own_gives_a_delta_of_what_changed_in_the_whole_state():
    lens = steplens(
        lambda state: {"x": state["a"], "y": state["b"]},
        lambda state: lambda part: {"a": part["x"], "b": part["y"], "z": part.get("z")},
    )
    state = {"a": 1, "b": [{"c": 1}], "gone": True}
    assert outcome(lens(returning({"x": 2}))[0], state) == Done({"a": 2, "z": None}, ("gone",))


def test_a_lens_that_changes_the_state_in_place_is_understood():
    def fold(state: State) -> Any:
        def put(part: State) -> State:
            state["list"].append(part["x"])
            return state

        return put

    before = {"list": [1], "other": 1}
    done = outcome(steplens(lambda state: {}, fold)(returning({"x": 2}))[0], before)
    assert done == Done({"list": [1, 2]})
    assert before == {"list": [1], "other": 1}


@pytest.mark.parametrize(("old", "new"), [(1, True), (1, 1.0), ([1], [True]), ({"x": 0}, {"x": False}), (None, False)])
def test_values_that_python_calls_equal_but_json_does_not_are_a_change(old, new):
    lens = steplens(lambda state: {}, lambda state: lambda part: {**state, "a": part["a"]})
    assert outcome(lens(returning({"a": new}))[0], {"a": old}) == Done({"a": new})
    assert outcome(lens(returning({"a": old}))[0], {"a": old}) == Done()


def test_a_lens_whose_set_gives_no_dict_is_refused():
    lens = steplens(lambda state: state, lambda state: lambda part: None)
    with pytest.raises(StepResultError, match="the set of its lens gave a value of type NoneType"):
        outcome(lens(returning({"a": 1}))[0], {})


def test_a_step_of_the_engine_has_conditions_but_nothing_to_call():
    with pytest.raises(AuthoringError, match="no function to call"):
        prepare(resync, {}, Loader())
    skipped = conditional(lambda state: False)(resync)[0]
    assert focus_on(skipped, {}) == Skipped()
    focus = focus_on(focussteps("child")(resync)[0], {"child": {"subscription_id": "x"}})
    assert not isinstance(focus, Skipped)
    assert focus.inner == {"subscription_id": "x"}
    assert focus.widen(Done({"insync": True})) == Done({"child": {"subscription_id": "x", "insync": True}})


def test_a_renamed_step_is_shown_under_its_name_and_key():
    renamed = replace(returning([]), name="Shown", key="group.place")
    with pytest.raises(StepResultError, match=r"^Step 'Shown' \(key group\.place\) returned"):
        outcome(renamed, {"workflow_name": 5})


def is_nix(state: State) -> bool:
    return bool(state["nix"])


@pytest.mark.parametrize(
    ("wrap", "note"),
    [
        (conditional(is_nix), "raised by the condition tests.unit.language.test_calling.is_nix of this step"),
        (
            steplens(is_nix, lambda state: lambda part: part),
            "raised by tests.unit.language.test_calling.is_nix, the get of this step's lens",
        ),
    ],
)
def test_what_a_condition_or_a_lens_raises_says_whose_it_is(wrap, note):
    (one,) = wrap(returning({}))

    with pytest.raises(KeyError) as raised:
        focus_on(one, {})
    assert raised.value.__notes__ == [note]
