"""Workflows and the decorators that make them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import AuthoringError, UnknownWorkflowError
from orchestrator.language.admission import RunPredicatePass
from orchestrator.language.catalog import Catalog
from orchestrator.language.steps import begin, conditional, done, init, set_status, step, step_group
from orchestrator.language.vocabulary import State, SubscriptionLifecycle, Target
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import (
    create_workflow,
    modify_workflow,
    reconcile_workflow,
    task,
    terminate_workflow,
    validate_workflow,
    workflow,
)


@step("Do it")
def do_it() -> State:
    return {}


@step("More")
def more() -> State:
    return {}


def form(state: State) -> Any:
    yield None


@pytest.mark.parametrize(
    ("decorator", "keys", "target", "is_task"),
    [
        (workflow("W"), "do_it", Target.SYSTEM, False),
        (workflow("W", target=Target.MODIFY), "do_it", Target.MODIFY, False),
        (task("W", additional_steps=begin >> more), "start do_it more done", Target.SYSTEM, True),
        (
            create_workflow("W", additional_steps=begin >> more),
            "start do_it more set_status_active resync done",
            Target.CREATE,
            False,
        ),
        (
            modify_workflow("W", additional_steps=more),
            "start store_process_subscription unsync do_it more resync done",
            Target.MODIFY,
            False,
        ),
        (
            terminate_workflow("W", additional_steps=more),
            "start store_process_subscription unsync do_it more set_status_terminated resync done",
            Target.TERMINATE,
            False,
        ),
        (
            validate_workflow("W"),
            "start store_process_subscription unsync_unchecked do_it resync done",
            Target.VALIDATE,
            True,
        ),
        (
            reconcile_workflow("W", additional_steps=more),
            "start store_process_subscription unsync_unchecked do_it more resync done",
            Target.RECONCILE,
            False,
        ),
    ],
)
def test_a_decorator_surrounds_the_steps_of_the_function(decorator, keys, target, is_task):
    @decorator
    def my_workflow():
        return begin >> do_it

    assert isinstance(my_workflow, Workflow)
    assert my_workflow.name == "my_workflow"
    assert my_workflow.description == "W"
    assert " ".join(my_workflow.keys) == keys
    assert my_workflow.target is target
    assert my_workflow.is_task is is_task


def test_a_workflow_is_written_as_the_seed_has_it():
    @create_workflow("Create Node", initial_input_form=form, status=SubscriptionLifecycle.PROVISIONING)
    def create_node():
        return begin >> do_it

    assert create_node.initial_input_form is form
    assert create_node.step("set_status_provisioning").action.status is SubscriptionLifecycle.PROVISIONING


def test_everything_that_decides_on_a_start_is_kept():
    def allow(context):
        return True

    def retry(context):
        return True

    def now(context):
        return RunPredicatePass()

    decided = {"authorize_callback": allow, "retry_auth_callback": retry, "run_predicate": now}
    for decorator in (
        workflow,
        task,
        create_workflow,
        modify_workflow,
        terminate_workflow,
        validate_workflow,
        reconcile_workflow,
    ):
        made = decorator(description="W", **decided)(named := _body())
        assert (made.authorize_callback, made.retry_auth_callback, made.run_predicate) == (allow, retry, now)
        assert made.name == named.__name__


def _body():
    def some_workflow():
        return do_it

    return some_workflow


@pytest.mark.parametrize(
    "decorator",
    [
        workflow,
        task,
        create_workflow,
        modify_workflow,
        terminate_workflow,
        validate_workflow,
        reconcile_workflow,
    ],
)
def test_every_kind_of_workflow_may_have_a_time_limit(decorator):
    assert decorator("W", time_limit=60)(_body()).time_limit == 60
    assert decorator("W")(_body()).time_limit is None


def test_a_bare_step_is_accepted_as_the_body():
    assert workflow("W")(_body()).keys == ("do_it",)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: workflow(_body()), "with brackets"),
        (lambda: workflow("W")(do_it), "decorates a function"),
        (lambda: workflow("W")(lambda: do_it), "a function with a name"),
        (lambda: workflow("W", target="DELETE")(_body()), "'DELETE' is not a Target"),
        (lambda: workflow("W", time_limit=0), "@workflow: time_limit must be more than 0 seconds"),
        (lambda: create_workflow("W", status="online"), "'online' is not a SubscriptionLifecycle"),
        (lambda: create_workflow("W", status=SubscriptionLifecycle.TERMINATED), "cannot end as TERMINATED"),
        (lambda: modify_workflow("W", additional_steps=form), "function 'form' in additional_steps of modify_workflow"),
    ],
)
def test_a_workflow_that_is_written_wrongly_is_refused_with_a_reason(make, words):
    with pytest.raises(AuthoringError, match=words):
        make()


@pytest.mark.parametrize("returned", [None, [], "steps", form])
def test_a_body_that_returns_no_steps_is_refused_by_name(returned):
    def wrong_workflow():
        return returned

    with pytest.raises(AuthoringError, match="returned by the workflow 'wrong_workflow'"):
        workflow("W")(wrong_workflow)


def test_what_is_wrong_inside_a_body_is_told_with_the_name_of_the_workflow():
    def hasty():
        return begin >> do_it >> form

    with pytest.raises(
        AuthoringError, match=r"^workflow 'hasty': function 'form' after the step 'Do it' is neither a step"
    ):
        workflow("W")(hasty)


def test_steps_behind_the_end_are_refused():
    def twice_done():
        return init >> do_it >> done

    with pytest.raises(AuthoringError, match="stands after 'Done' and would never run"):
        modify_workflow("W")(twice_done)


def test_an_early_end_under_a_condition_is_accepted():
    @workflow("W")
    def early():
        return init >> conditional(lambda state: False)(done) >> do_it >> done

    assert early.keys == ("start", "done", "do_it", "done_2")


def test_keys_that_repeat_are_numbered():
    @workflow("W")
    def repeated():
        return begin >> do_it >> do_it >> step_group("Group", begin >> do_it >> do_it) >> do_it

    assert repeated.keys == ("do_it", "do_it_2", "group.do_it", "group.do_it_2", "do_it_3")
    assert repeated.step("group.do_it_2") is repeated.steps[3]
    assert repeated.step("gone") is None


def test_a_numbered_key_never_takes_the_key_of_another_function():
    @step("Two")
    def do_it_2() -> State:
        return {}

    @workflow("W")
    def tricky():
        return begin >> do_it >> do_it >> do_it_2

    assert tricky.keys == ("do_it", "do_it_3", "do_it_2")


@pytest.mark.parametrize("other", [step("Mine", key="do_it"), step("Mine", key="do_it_2")])
def test_a_chosen_key_that_is_taken_is_refused(other):
    def taken():
        return begin >> do_it >> other(_body()) >> do_it

    with pytest.raises(AuthoringError, match=r"workflow 'taken': the key 'do_it(_2)?' is that of 2 steps: .*'Mine'"):
        workflow("W")(taken)


def test_two_equal_chosen_keys_are_refused():
    one = step("One", key="same")(_body())
    two = step("Two", key="same")(_body())

    def equal():
        return begin >> one >> two

    with pytest.raises(AuthoringError, match="'One' and 'Two'"):
        workflow("W")(equal)


names = st.sampled_from(["a", "b", "a_2", "b_2", "a_2_2", "a_3"])


@given(st.lists(names, max_size=8), st.lists(st.sampled_from(["", "g", "a"]), min_size=8, max_size=8))
def test_automatic_keys_are_always_unique(functions, groups):
    steps = begin
    for name, group in zip(functions, groups, strict=False):
        one = step(name)(_named(name))
        steps = steps >> (step_group(group, one) if group else one)
    made = workflow("W")(_named("generated", steps))
    assert len(set(made.keys)) == len(functions)
    assert all(key.split(".")[-1].startswith(name) for key, name in zip(made.keys, functions, strict=True))


def _named(name, result=None):
    def function():
        return result

    function.__name__ = name
    return function


def test_the_version_follows_keys_and_kinds_but_not_names_or_code():
    def versions(*steps):
        body = begin
        for one in steps:
            body = body >> one
        return workflow("W")(_named("versioned", body)).version

    first = step("Old name", key="a")(lambda: {"x": 1})
    renamed = step("New name", key="a")(lambda: {"x": 2})
    other = step("Old name", key="b")(lambda: {"x": 1})
    ended = set_status(SubscriptionLifecycle.ACTIVE)

    assert versions(first, ended) == versions(renamed, ended)
    assert versions(first, other) != versions(other, first)
    assert versions(first) != versions(first, other)
    assert versions(first, ended) != versions(first, set_status(SubscriptionLifecycle.DISABLED))
    assert len(versions(first)) == 64
    # Pinned: the database knows the version of a process by it.
    assert versions(first) == "ee2118121d5261ef0e426843d5152f9054570c918ea2388ff1aef69efd7052d2"


def test_a_catalog_holds_what_was_registered():
    catalog = Catalog()
    made = workflow("W")(_body())
    catalog.add_workflow(made)
    catalog.add_product("Node", Workflow)

    assert catalog.workflow("some_workflow") is made
    assert dict(catalog.workflows) == {"some_workflow": made}
    assert dict(catalog.products) == {"Node": Workflow}
    with pytest.raises(TypeError):
        catalog.workflows["other"] = made  # type: ignore[index]


def test_a_catalog_refuses_what_is_registered_twice_or_wrongly():
    catalog = Catalog()
    catalog.add_workflow(workflow("W")(_body()))
    catalog.add_product("Node", Workflow)

    with pytest.raises(AuthoringError, match="two workflows with the name 'some_workflow'"):
        catalog.add_workflow(task("W")(_body()))
    with pytest.raises(AuthoringError, match="two products with the name 'Node'"):
        catalog.add_product("Node", Catalog)
    with pytest.raises(AuthoringError, match="is its decorator missing"):
        catalog.add_workflow(_body())
    with pytest.raises(AuthoringError, match="must be a class"):
        catalog.add_product("Other", "Node")  # type: ignore[arg-type]
    with pytest.raises(AuthoringError, match="is text"):
        catalog.add_product("", Catalog)


def test_an_unknown_workflow_is_an_error_that_names_it():
    with pytest.raises(UnknownWorkflowError, match="'create_nothing'"):
        Catalog().workflow("create_nothing")


def test_an_annotation_that_is_nowhere_is_found_when_the_workflow_is_registered():
    @step("Later")
    def later(model: NeverDefined) -> State:  # noqa: F821
        return {}

    @workflow("W")
    def unresolved():
        return begin >> later

    with pytest.raises(AuthoringError, match=r"'NeverDefined' of the parameter 'model' of .*later"):
        Catalog().add_workflow(unresolved)


async def some_async_form():
    yield None


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ("text", "the form of the workflow 'asks': expected a function, got str"),
        (lambda *pages: None, r"the form of the workflow 'asks': the parameter '\*pages'"),
        (some_async_form, "the form of the workflow 'asks': some_async_form is async"),
    ],
)
def test_what_cannot_be_a_form_is_refused_when_the_workflow_is_defined(form, words):
    def asks():
        return begin

    with pytest.raises(AuthoringError, match=words):
        workflow("Asks", initial_input_form=form)(asks)
