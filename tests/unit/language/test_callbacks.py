"""What `callback_step` makes, and what it refuses."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

from orchestrator.errors import AuthoringError
from orchestrator.language.actions import AwaitCallback, Call
from orchestrator.language.callbacks import callback_step
from orchestrator.language.calling import Prepared, prepare
from orchestrator.language.steps import begin, conditional, init, inputstep, retrystep, step, step_group
from orchestrator.language.supply import UnsuppliedParameterWarning
from orchestrator.language.vocabulary import State
from orchestrator.language.workflows import workflow


@retrystep("Ask the supplier")
def ask(order: str, callback_route: str) -> State:
    return {}


@step("Look", key="my_look")
def look(callback_result: State) -> State:
    return {}


def test_a_callback_step_is_three_steps_in_a_group() -> None:
    steps = callback_step("Order it", ask, look, timeout=60)
    assert [(one.key, one.name, one.kind) for one in steps] == [
        ("order_it.ask", "Ask the supplier", "call"),
        ("order_it.await_callback", "Await callback", "await_callback"),
        ("my_look", "Look", "call"),
    ]
    assert {one.group for one in steps} == {("Order it",)}
    assert steps[0].action == Call(ask.action.function, "callback_route")
    assert steps[0].retry == ask.retry
    assert steps[1].action == AwaitCallback("callback_result", 60.0)


def test_options_belong_to_their_own_step() -> None:
    @step("Ask")
    def ask_there(there: str) -> None:
        pass

    first = callback_step("One", ask, look, timeout=1)
    second = callback_step("Two", ask_there, look, result_key="answer", callback_route_key="there")
    assert ask.action == Call(ask.action.function)
    both = step_group("Both", begin >> first >> second)
    assert [one.action for one in both if isinstance(one.action, AwaitCallback)] == [
        AwaitCallback("callback_result", 1.0),
        AwaitCallback("answer"),
    ]
    assert [one.action.callback_route_key for one in both if isinstance(one.action, Call)] == [
        "callback_route",
        None,
        "there",
        None,
    ]


def test_the_route_and_the_result_are_known_to_be_supplied() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnsuppliedParameterWarning)

        @step("Begin")
        def begin_order() -> State:
            return {"order": "one"}

        @workflow("Order")
        def flow() -> Any:
            return init >> begin_order >> callback_step("Order it", ask, look)

    with pytest.warns(UnsuppliedParameterWarning, match="callback_result"):

        @workflow("Order")
        def other() -> Any:
            return init >> begin_order >> callback_step("Order it", ask, look, result_key="other")


def test_what_is_handed_to_a_step_wins_over_the_state() -> None:
    class NoModels:
        def load(self, annotation: Any, identifier: Any) -> object:
            raise AssertionError

    given: list[tuple[str, State]] = []

    @step("Ask")
    def ask_with_state(callback_route: str, state: State) -> None:
        given.append((callback_route, state))

    prepared = prepare(ask_with_state, {"callback_route": "old", "a": 1}, NoModels(), handed={"callback_route": "/new"})
    assert isinstance(prepared, Prepared)
    prepared.call()
    assert given == [("/new", {"a": 1})]


@step("No route")
def deaf(order: str) -> None:
    pass


@inputstep("A form")
def form() -> None:
    pass


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((deaf, look), {}, "needs a parameter 'callback_route'"),
        ((ask, look), {"callback_route_key": "route to"}, "needs a parameter 'route to'"),
        ((form, look), {}, "action_step must be one @step"),
        ((ask, form), {}, "validate_step must be one @step"),
        ((lambda: None, look), {}, "action_step must be one @step"),
        ((conditional(bool)(ask), look), {}, "go around the callback_step"),
        ((ask, look), {"timeout": 0}, "timeout must be more than 0"),
        ((ask, look), {"timeout": float("inf")}, "timeout must be more than 0"),
        ((ask, look), {"timeout": True}, "timeout must be more than 0"),
        ((ask, look), {"result_key": 1}, "result_key must be text"),
        ((callback_step("x", ask, look)[0], look), {}, "waits for a callback already"),
    ],
)
def test_what_cannot_work_is_refused_when_it_is_defined(
    arguments: tuple[Any, Any], options: dict[str, Any], message: str
) -> None:
    with pytest.raises(AuthoringError, match=message):
        callback_step("Order it", *arguments, **options)
