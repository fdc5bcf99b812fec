"""Parameters that nothing supplies are reported when the workflow is defined, when that can be known."""

from __future__ import annotations

import functools
import warnings
from typing import Any

import pytest

from orchestrator.language.forms import FormPage
from orchestrator.language.steps import begin, conditional, focussteps, inputstep, step, steplens
from orchestrator.language.supply import UnsuppliedParameterWarning
from orchestrator.language.vocabulary import REMOVED, State, Target
from orchestrator.language.workflows import create_workflow, modify_workflow, task, workflow


class Model:
    @classmethod
    def from_subscription(cls, subscription_id: Any) -> Model:
        return cls()


class NodePage(FormPage):
    node_name: str


@step("Needs node_name")
def needs_node_name(node_name: str) -> State:
    return {}


@step("Supplies node_name")
def supplies_node_name() -> State:
    if needs_node_name:
        return {"node_name": "ams", "x": 1}
    return {"y": 1}


@step("Supplies x")
def supplies_x() -> State:
    def inner():
        return make()

    return {"x": inner}


@step("Unknown")
def supplies_something() -> State:
    return make()


@step("Spreads")
def spreads() -> State:
    return {**make(), "x": 1}


@step("Removes node_name")
def removes_node_name() -> State:
    return {"node_name": REMOVED}


@step("Removes or supplies node_name")
def removes_or_supplies_node_name() -> State:
    if make():
        return {"node_name": REMOVED}
    return {"node_name": "lon"}


@step("Returns nothing")
def returns_nothing() -> None:
    make()


@step("Makes the rest")
def all_that_is_there(
    state: State,
    process_id: str,
    reporter: str,
    workflow_name: str,
    workflow_target: Target,
    idempotency_key: str,
    maybe: Model | None,
    many: list[Model],
    number: int = 3,
) -> None: ...


@step("Of a subscription")
def of_a_subscription(
    subscription_id: str, product: str, customer_id: str, version: int, subscription: Model
) -> None: ...


@step("Of a product")
def of_a_product(product: str, product_name: str) -> None: ...


def make() -> State:
    return {}


def form_with_node_name(state: State) -> Any:
    yield NodePage
    return {"node_name": "ams"}


def form_with_x(state: State) -> Any:
    yield NodePage
    return {"x": 1}


def form_with_pages(state: State) -> Any:
    page = yield NodePage
    return page.model_dump()


def page_maker(state: State) -> type[FormPage]:
    return NodePage


@inputstep("Ask", assignee="NOC")
def asks_node_name(state: State) -> Any:
    yield NodePage
    return {"node_name": "ams"}


@inputstep("Ask", assignee="NOC")
def asks_page(state: State) -> Any:
    return NodePage


def reported(steps: Any, decorator: Any = None) -> list[str]:
    def body():
        return steps

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        (decorator or workflow("W"))(body)
    assert all(issubclass(one.category, UnsuppliedParameterWarning) for one in caught)
    return [str(one.message) for one in caught]


def test_a_parameter_that_nothing_supplies_is_reported_where_its_function_stands():
    with pytest.warns(UnsuppliedParameterWarning) as caught:

        @workflow("W")
        def starved():
            return begin >> supplies_x >> returns_nothing >> needs_node_name

    assert len(caught) == 1
    assert str(caught[0].message) == (
        "workflow 'starved': nothing before the step 'Needs node_name' (key needs_node_name) supplies its parameter "
        "'node_name'"
    )
    assert caught[0].filename == __file__
    assert caught[0].lineno == needs_node_name.function.__code__.co_firstlineno


@pytest.mark.parametrize(
    "before",
    [
        supplies_node_name,
        supplies_something,
        spreads,
        asks_node_name,
        asks_page,
        conditional(lambda state: False)(supplies_node_name),
        focussteps("node_name")(supplies_x),
        steplens(lambda state: state, lambda state: lambda part: part)(supplies_x),
        step("Lambda")(lambda: {"x": 1}),
        step("Partial")(functools.partial(make)),
        step("Made at run time")(eval("lambda: {}")),
        supplies_node_name >> conditional(lambda state: True)(removes_node_name),
        removes_or_supplies_node_name,
    ],
)
def test_what_may_supply_it_silences_the_report(before):
    assert reported(begin >> before >> needs_node_name) == []


@pytest.mark.parametrize(
    "before",
    [
        supplies_x,
        returns_nothing,
        conditional(lambda state: False)(supplies_x),
        focussteps("other")(supplies_node_name),
        supplies_node_name >> removes_node_name,
    ],
)
def test_what_cannot_supply_it_does_not(before):
    assert len(reported(begin >> before >> needs_node_name)) == 1


def test_order_matters():
    assert len(reported(begin >> needs_node_name >> supplies_node_name)) == 1


def test_a_step_in_a_lens_is_not_judged():
    assert reported(focussteps("port")(needs_node_name)) == []


@pytest.mark.parametrize(
    ("form", "reports"),
    [
        (None, 1),
        (form_with_x, 1),
        (form_with_node_name, 0),
        (form_with_pages, 0),
        (NodePage, 0),
        (FormPage, 1),
        (page_maker, 0),
    ],
)
def test_the_form_counts_as_far_as_it_can_be_read(form, reports):
    assert len(reported(begin >> needs_node_name, create_workflow("W", form))) == reports


def test_a_parameter_of_the_form_that_nothing_supplies_is_reported_where_the_form_stands():
    def asks(subscription: Model, reporter: str, colour: str = "red") -> Any:
        yield NodePage

    with pytest.warns(UnsuppliedParameterWarning) as caught:

        @modify_workflow("W", initial_input_form=asks)
        def modify_it():
            return begin

    assert [str(one.message) for one in caught] == [
        "workflow 'modify_it': nothing supplies the parameter 'subscription' of its form, which can ask for "
        "customer_id, process_id, product, reporter, subscription_id, version, workflow_name, workflow_target; load it "
        "in the form, with Model.from_subscription(subscription_id)"
    ]
    assert (caught[0].filename, caught[0].lineno) == (__file__, asks.__code__.co_firstlineno)


@pytest.mark.parametrize(
    ("decorator", "reports"), [(create_workflow, 0), (task, 0), (workflow, 0), (modify_workflow, 1)]
)
def test_a_form_is_given_what_the_page_before_it_gives(decorator, reports):
    def asks(product: str, product_name: str, process_id: str, state: State) -> Any:
        yield NodePage

    assert len(reported(begin, decorator("W", initial_input_form=asks))) == reports


def test_forms_have_no_idempotency_key():
    def asks(idempotency_key: str) -> Any:
        yield NodePage

    assert len(reported(begin, task("W", initial_input_form=asks))) == 1
    assert len(reported(begin >> inputstep("Ask", assignee="NOC")(asks))) == 1


def test_what_every_process_has_is_known():
    assert reported(begin >> all_that_is_there) == []


def test_a_workflow_on_a_subscription_has_its_keys_and_the_loaded_subscription():
    assert reported(begin >> of_a_subscription, modify_workflow("W")) == []
    assert len(reported(begin >> of_a_product, modify_workflow("W"))) == 1


def test_a_create_workflow_has_a_product_but_no_subscription_yet():
    assert reported(begin >> of_a_product, create_workflow("W")) == []
    asked = reported(begin >> of_a_subscription, create_workflow("W"))
    assert [one.split()[-1] for one in asked] == ["'subscription_id'", "'customer_id'", "'version'", "'subscription'"]


def test_a_task_may_be_given_a_subscription_by_its_row():
    @step("Check")
    def check(subscription_id: str) -> None: ...

    assert reported(begin >> check, task("W")) == []


def test_an_annotation_that_cannot_be_resolved_yet_is_left_alone():
    @step("Later")
    def later(it: NeverDefined) -> None: ...  # noqa: F821

    assert reported(begin >> later) == []
