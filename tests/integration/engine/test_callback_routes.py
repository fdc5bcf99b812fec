"""Routes of callbacks: who is handed one, which are taken, and that none is stored."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchestrator.engine.callbacks import CallbackSigner, check_secret_key
from orchestrator.errors import CallbackNotFoundError, ConflictError, ProcessNotFoundError, SettingsError
from orchestrator.language.steps import done, init, step
from orchestrator.language.vocabulary import State
from orchestrator.language.workflows import workflow
from orchestrator.services.callbacks import deliver_callback
from orchestrator.settings import Settings
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.engine.outside_system import OUTSIDE, Outside, asking, ordering
from tests.integration.process_world import unknown_id


def everything_stored(engine: EngineOnTest) -> str:
    tables = engine.query("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'")
    return "\n".join(str(engine.query(f'SELECT t::text FROM "{name}" t')) for (name,) in tables)


def test_a_wrong_token_is_none(engine: EngineOnTest, outside: Outside) -> None:
    flow = asking(outside)
    seq, other = engine.start(flow), engine.start(flow)
    engine.run(seq)
    engine.run(other)
    for token in (outside.routes[1], outside.routes[0][:-1], outside.routes[0] + "x", "/", "/ü"):
        with pytest.raises(CallbackNotFoundError):
            outside.call_back(seq, {"number": 1}, token)
    with pytest.raises(ProcessNotFoundError):
        deliver_callback(outside.context, OUTSIDE, unknown_id(), outside.routes[0].rpartition("/")[2], {})
    assert engine.process(seq).status == "awaiting_callback"


def test_a_token_made_with_another_key_is_none(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    settings = outside.context.settings.model_copy(
        update={"secret_key": Settings(secret_key="a key of somebody else").secret_key}
    )
    outside.context = replace(outside.context, settings=settings)
    with pytest.raises(CallbackNotFoundError):
        outside.call_back(seq, {"number": 1})


def test_a_step_that_runs_again_is_handed_the_same_route(engine: EngineOnTest, outside: Outside) -> None:
    def ask(callback_route: str) -> None:
        outside.routes.append(callback_route)
        if len(outside.routes) == 1:
            raise RuntimeError(f"POST {{'url': 'http://me{callback_route}'}} failed")

    seq = engine.start(ordering(ask))
    engine.run(seq)
    assert engine.process(seq).status == "failed"
    outside.call_back(seq, {"number": 5})
    outside.resume(seq)
    engine.run(seq)
    assert outside.routes[0] == outside.routes[1]
    assert engine.process(seq).state["seen"] == 5


def test_the_token_is_stored_nowhere(engine: EngineOnTest, outside: Outside) -> None:
    class Refused(Exception):
        def __init__(self, route: str) -> None:
            super().__init__(f"{route} was refused")
            self.details = {"body": [route]}

    def ask(callback_route: str, state: State) -> State:
        outside.routes.append(callback_route)
        assert "callback_route" not in state
        if len(outside.routes) == 1:
            raise Refused(callback_route)
        returned: list[State] = [{"sent": {"to": callback_route}}, {callback_route: "sent"}, {}]
        return returned[len(outside.routes) - 2]

    seq = engine.start(ordering(ask), {"callback_route": "an old one"})
    for _ in range(3):
        engine.run(seq)
        outside.resume(seq)
    refusals = ["Refused", "StepResultError", "StepResultError"]
    assert [row.error["class"] for row in engine.steps(seq) if row.error] == refusals
    assert engine.steps(seq)[1].error["details"]["body"][0].endswith("/callback/(token)")
    assert "under 'sent'" in engine.steps(seq)[2].error["error"]
    engine.run(seq)
    outside.call_back(seq, {"number": 1})
    engine.run(seq)

    assert engine.process(seq).status == "completed"
    assert len(set(outside.routes)) == 1
    token = outside.routes[0].rpartition("/")[2]
    assert len(token) == 43
    stored = everything_stored(engine)
    assert "order_it.await_callback" in stored
    assert token not in stored


def test_a_process_begun_again_behind_the_asking_step_says_so(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    engine.change(seq, generation=2, status="resumed")
    with pytest.raises(ConflictError, match="begun again"):
        outside.call_back(seq, {"number": 1})
    engine.run(seq)
    assert "nobody was handed the route" in str(engine.process(seq).failed_reason)


def test_a_version_without_a_step_that_waits_says_so(engine: EngineOnTest, outside: Outside) -> None:
    old = workflow("Order")(lambda_named_flow(step("Ask", key="ask")(lambda: None)))
    seq = engine.start(old, deployed=False)
    engine.catalog.add_workflow(asking(outside))
    engine.run(seq)
    assert "no step behind 'ask' that waits" in str(engine.process(seq).failed_reason)
    assert outside.routes == []


def lambda_named_flow(one: Any) -> Any:
    def flow() -> Any:
        return init >> one >> done

    return flow


def test_without_a_secret_key_nothing_that_waits_for_callbacks_starts(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    with pytest.raises(SettingsError, match="ORCHESTRATOR_SECRET_KEY is not set: the workflow 'flow'"):
        check_secret_key(engine.catalog, CallbackSigner())
    engine.run(seq, engine.runner(limits=replace(engine.limits, signer=CallbackSigner())))
    assert "ORCHESTRATOR_SECRET_KEY is not set" in str(engine.process(seq).failed_reason)
    assert engine.query("SELECT count(*) FROM callbacks") == [(0,)]
    assert "tests" not in repr(engine.limits)
