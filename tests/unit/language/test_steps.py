"""Steps and what wraps them."""

from __future__ import annotations

import functools
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import Call, Finish, Form, Lens, Retry, SetStatus, Start, Unsync, When
from orchestrator.language.forms import FormGenerator
from orchestrator.language.step_list import Step, StepList
from orchestrator.language.steps import (
    abort,
    begin,
    conditional,
    done,
    ensure_provisioning_status,
    focussteps,
    init,
    inputstep,
    retrystep,
    set_status,
    step,
    step_group,
    steplens,
    store_process_subscription,
    unsync,
    unsync_unchecked,
)
from orchestrator.language.vocabulary import Assignee, State, SubscriptionLifecycle


@step("Reserve")
def reserve(node: str) -> State:
    return {"reserved": node}


@step("Configure", key="push", time_limit=5)
def configure() -> State:
    return {}


def allow(context: Any) -> bool:
    return True


def deny(context: Any) -> bool:
    return False


def undecorated() -> State:
    return {}


def test_a_step_is_called_as_the_function_it_was_made_from():
    assert reserve("ams") == {"reserved": "ams"}
    assert reserve(node="lon") == {"reserved": "lon"}


def test_a_step_takes_its_key_from_the_function_and_its_name_from_the_author():
    assert (reserve.name, reserve.key, reserve.has_own_key) == ("Reserve", "reserve", False)
    assert (configure.name, configure.key, configure.has_own_key) == ("Configure", "push", True)
    assert configure.time_limit == 5


def test_a_step_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        reserve.name = "other"  # type: ignore[misc]


def test_a_function_without_a_name_gets_the_slug_of_the_step():
    assert step("Do the Thing!")(lambda: {"x": 1}).key == "do_the_thing"
    assert step("Prüfe Gerät")(functools.partial(undecorated)).key == "prüfe_gerät"
    assert step("!!!")(lambda: {"x": 1}).key == "step"


def test_a_step_annotated_as_a_form_generator_is_an_ordinary_step():
    @step("Load relevant subscription information")
    def load(state: State) -> FormGenerator:
        return {"node_name": state["name"]}

    assert isinstance(load.action, Call)
    assert load({"name": "ams"}) == {"node_name": "ams"}


def test_an_input_step_is_a_form_with_an_assignee():
    @inputstep("Confirm", assignee=Assignee.NOC, resume_auth_callback=allow, retry_auth_callback=deny)
    def confirm(state: State) -> FormGenerator:
        yield None

    assert isinstance(confirm.action, Form)
    assert confirm.function is confirm.action.function
    assert (confirm.assignee, confirm.resume_auth_callback, confirm.retry_auth_callback) == ("NOC", allow, deny)


def test_a_retry_step_is_retried_by_the_default_policy():
    @retrystep("Poll", retry_auth_callback=allow)
    def poll() -> State:
        return {}

    assert poll.retry == Retry()
    assert poll.retry_auth_callback is allow
    assert reserve.retry is None


def test_the_steps_of_the_engine_have_kinds_and_no_function():
    assert [one.kind for one in init >> unsync >> unsync_unchecked >> store_process_subscription() >> done] == [
        "start",
        "unsync",
        "unsync_unchecked",
        "store_process_subscription",
        "finish",
    ]
    assert begin == ()
    assert isinstance(init[0].action, Start)
    assert (init[0].name, init[0].key, done[0].name, done[0].key) == ("Start", "start", "Done", "done")
    assert abort[0].kind == "abort"
    assert (unsync.action, unsync_unchecked.action) == (Unsync(True), Unsync(False))
    with pytest.raises(AuthoringError, match="no function"):
        unsync()


def test_setting_a_status_accepts_only_a_lifecycle():
    assert set_status(SubscriptionLifecycle.ACTIVE).action == SetStatus(SubscriptionLifecycle.ACTIVE)
    assert set_status("provisioning").key == "set_status_provisioning"  # type: ignore[arg-type]
    with pytest.raises(AuthoringError, match="'online' is not a SubscriptionLifecycle"):
        set_status("online")  # type: ignore[arg-type]


def test_provisioning_surrounds_the_steps():
    keys = [one.key for one in ensure_provisioning_status(reserve)]
    assert keys == ["set_status_provisioning", "reserve", "set_status_active"]


@pytest.mark.parametrize(
    "build",
    [
        lambda: begin >> undecorated,
        lambda: reserve >> undecorated,
        lambda: undecorated >> reserve,
        lambda: undecorated >> (begin >> reserve),
        lambda: undecorated >> begin,
        lambda: StepList([undecorated]),
        lambda: step_group("Group", undecorated),
        lambda: conditional(lambda state: True)(undecorated),
        lambda: focussteps("port")(undecorated),
    ],
)
def test_a_function_without_its_decorator_is_refused_by_name(build):
    with pytest.raises(AuthoringError, match=r"undecorated.*@step"):
        build()


def test_the_place_of_what_is_no_step_is_named():
    with pytest.raises(AuthoringError, match="after the step 'Reserve'"):
        begin >> reserve >> 3
    with pytest.raises(AuthoringError, match="int in a StepList"):
        StepList([3])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: step(undecorated), 'write @step\\("what people are shown"\\)'),
        (lambda: step(""), "must be text"),
        (lambda: step("A")(reserve), "expected a function, got Reserve"),
        (lambda: step("A")(5), "expected a function, got int"),
        (lambda: step("A")(lambda *values: {}), "'\\*values'"),
        (lambda: step("A")(lambda **values: {}), "functools.wraps"),
        (lambda: step("A")(lambda a, /: {}), "cannot be filled"),
        (lambda: step("A")(dict), "the parameters of dict cannot be seen"),
        (lambda: step("A", key="two words")(undecorated), "a key is made of"),
        (lambda: step("A", key="")(undecorated), "a key is made of"),
        (lambda: step("A", time_limit=0), "more than 0 seconds"),
        (lambda: step("A", time_limit=float("nan")), "more than 0 seconds"),
        (lambda: step("A", time_limit=float("inf")), "a year at most"),
        (lambda: step("A", time_limit="1"), "more than 0 seconds"),
        (lambda: step("A", retry=3), "must be a Retry"),
        (lambda: step_group("", reserve), "must be text"),
        (lambda: conditional(True), "must be a function of the state"),
        (lambda: steplens(1, 2), "must be functions"),
        (lambda: focussteps(1), "must be text"),
    ],
)
def test_a_step_that_is_written_wrongly_is_refused_with_a_reason(make, words):
    with pytest.raises(AuthoringError, match=words):
        make()


def test_a_function_that_is_async_or_yields_cannot_be_a_step():
    async def later() -> State:
        return {}

    def pages():
        yield None

    with pytest.raises(AuthoringError, match="async"):
        step("A")(later)
    with pytest.raises(AuthoringError, match="use @inputstep"):
        step("A")(pages)


def test_a_decorator_with_wraps_keeps_the_parameters():
    @functools.wraps(reserve.function)
    def logged(*args: Any, **kwargs: Any) -> Any:
        return {**reserve(*args, **kwargs), "logged": True}

    assert step("Logged")(logged)(node="ams") == {"reserved": "ams", "logged": True}


def test_a_group_labels_its_steps_and_prefixes_their_keys():
    group = step_group("Outer Group", begin >> reserve >> step_group("Inner", begin >> reserve >> configure))

    assert isinstance(group, StepList)
    assert [one.key for one in group] == ["outer_group.reserve", "outer_group.inner.reserve", "push"]
    assert [one.group for one in group] == [("Outer Group",), ("Outer Group", "Inner"), ("Outer Group", "Inner")]
    assert [one.name for one in group] == ["Reserve", "Reserve", "Configure"]


def test_the_wrappers_of_a_step_stand_outermost_first():
    def one(state: State) -> bool:
        return True

    def two(state: State) -> bool:
        return False

    wrapped = conditional(one)(focussteps("port")(conditional(two)(reserve)))[0]
    assert wrapped.wrappers[0] == When(one)
    assert isinstance(wrapped.wrappers[1], Lens)
    assert wrapped.wrappers[1].key == "port"
    assert wrapped.wrappers[2] == When(two)


def test_a_condition_on_a_group_is_put_on_each_of_its_steps():
    def never(state: State) -> bool:
        return False

    steps = conditional(never)(step_group("Group", begin >> reserve >> configure))
    assert [one.wrappers for one in steps] == [(When(never),)] * 2
    assert [one.group for one in steps] == [("Group",)] * 2


def test_wrapping_loses_nothing_that_a_step_has():
    @inputstep("Confirm", assignee="LEGAL", resume_auth_callback=allow, retry_auth_callback=deny, key="confirm-it")
    def confirm() -> FormGenerator:
        yield None

    lens = steplens(lambda state: state, lambda state: lambda part: part)
    for wrapped in (
        conditional(lambda state: True)(confirm),
        focussteps("port")(confirm),
        lens(confirm),
        step_group("Group", confirm, retry_auth_callback=allow, resume_auth_callback=deny),
    ):
        assert wrapped[0].resume_auth_callback is allow
        assert wrapped[0].retry_auth_callback is deny
        assert wrapped[0].assignee == "LEGAL"
        assert wrapped[0].key == "confirm-it"
        assert wrapped[0].action is confirm.action


def test_the_authorizers_of_a_group_hold_for_steps_that_have_none():
    group = step_group("Group", reserve, retry_auth_callback=deny, resume_auth_callback=allow)
    assert (group[0].retry_auth_callback, group[0].resume_auth_callback) == (deny, allow)


steps = st.sampled_from([reserve, configure, unsync, done[0]])
pieces = st.one_of(steps, st.lists(steps, max_size=3).map(StepList))


@given(pieces, pieces, pieces)
def test_putting_steps_together_is_associative(one, two, three):
    left = (one >> two) >> three
    right = one >> (two >> three)
    assert left == right
    assert isinstance(left, StepList)
    assert all(isinstance(part, Step) for part in left)


@given(st.lists(steps, max_size=4).map(StepList))
def test_the_empty_list_changes_nothing(some):
    assert begin >> some == some >> begin == some


@given(st.lists(steps, max_size=5).map(StepList), st.integers(-6, 6), st.integers(-6, 6))
def test_a_part_of_a_list_is_a_list(some, start, stop):
    assert isinstance(some[start:stop], StepList)
    assert list(some[start:stop]) == list(some)[start:stop]


def test_a_list_is_mapped_step_by_step():
    mapped = (begin >> reserve >> done).map(lambda one: set_status(SubscriptionLifecycle.ACTIVE))
    assert [one.kind for one in mapped] == ["set_status", "set_status"]
    assert repr(begin >> reserve >> done) == "StepList(reserve >> done)"
    assert isinstance((begin >> done)[0].action, Finish)


@pytest.mark.parametrize(
    ("put", "hint"),
    [
        (lambda: begin >> {"called": 1}, "was a step called, which is only named here"),
        (lambda: begin >> None, "is a return missing"),
        (lambda: begin >> store_process_subscription, r"call it: store_process_subscription\(\.\.\.\)"),
        (lambda: begin >> len, "is it missing its @step"),
        (lambda: conditional(begin), r"not StepList; write conditional\(predicate\)\(steps\)"),
    ],
)
def test_what_is_no_step_is_refused_with_what_was_meant(put, hint):
    with pytest.raises(AuthoringError, match=hint):
        put()
