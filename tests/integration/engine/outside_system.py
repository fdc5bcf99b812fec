"""An outside system that is asked and calls back, and workflows that ask it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchestrator.language.callbacks import callback_step
from orchestrator.language.steps import done, init, step
from orchestrator.language.vocabulary import Actor, State
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import workflow
from orchestrator.services.callbacks import deliver_callback, report_progress
from orchestrator.services.context import Context
from orchestrator.services.process_views import process_detail
from orchestrator.services.processes import resume_process
from orchestrator.settings import Settings
from tests.integration.engine.engine_on_test import SECRET_KEY, EngineOnTest
from tests.integration.process_world import SilentBell

OUTSIDE = Actor("outside")


@dataclass
class Outside:
    """The outside system: keeps the routes that it was handed, and answers when it is told to."""

    engine: EngineOnTest
    routes: list[str] = field(default_factory=list)
    context: Context = field(init=False)

    def __post_init__(self) -> None:
        self.bell = SilentBell()
        settings = Settings(secret_key=SECRET_KEY, max_delta_bytes=1_000)
        self.context = Context(self.engine.database, self.engine.catalog, self.bell, settings)

    def call_back(self, seq: int, body: State, route: str | None = None) -> None:
        token = (route or self.routes[-1]).rpartition("/")[2]
        deliver_callback(self.context, OUTSIDE, self.engine.process(seq).process_id, token, body)

    def tell(self, seq: int, progress: State | str) -> None:
        token = self.routes[-1].rpartition("/")[2]
        report_progress(self.context, OUTSIDE, self.engine.process(seq).process_id, token, progress)

    def progress(self, seq: int) -> Any:
        return process_detail(self.context, self.engine.process(seq).process_id).callback_progress

    def resume(self, seq: int) -> None:
        resume_process(self.context, OUTSIDE, self.engine.process(seq).process_id)


@step("Look at the order")
def look_at(callback_result: State) -> State:
    return {"seen": callback_result["number"]}


def ordering(
    ask: Callable[..., Any], around: Callable[..., Any] | None = None, timeout: float | None = None
) -> Workflow:
    """A workflow that orders something outside and looks at what came back."""
    order = callback_step("Order it", step("Ask", key="ask")(ask), look_at, timeout=timeout)

    def flow() -> Any:
        return init >> (around(order) if around else order) >> done

    return workflow("Order")(flow)


def asking(outside: Outside, **options: Any) -> Workflow:
    """The same with an outside system that only keeps its route."""

    def ask(callback_route: str) -> State:
        outside.routes.append(callback_route)
        return {"asked": True}

    return ordering(ask, **options)


def statuses(engine: EngineOnTest, seq: int) -> list[tuple[str, str]]:
    return [(row.key, row.status) for row in engine.steps(seq)][1:]
