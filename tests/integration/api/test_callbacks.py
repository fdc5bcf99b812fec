"""Callbacks over HTTP, from the start of the process to its end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy.exc import OperationalError

from orchestrator.api.application import build_application
from orchestrator.engine.callbacks import CallbackSigner
from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepRunner
from orchestrator.language.callbacks import callback_step
from orchestrator.language.catalog import Catalog
from orchestrator.language.steps import done, init, step
from orchestrator.language.vocabulary import State, Target
from orchestrator.language.workflows import workflow
from orchestrator.services import callbacks
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from tests.integration.api.rows import Rows
from tests.integration.engine.engine_on_test import LIMITS
from tests.integration.process_world import SilentBell

ROUTES: list[str] = []


@step("Ask")
def ask(callback_route: str) -> None:
    ROUTES.append(callback_route)


@step("Look")
def look(answer: State) -> State:
    return {"seen": answer["number"]}


@workflow("Order something outside", target=Target.SYSTEM)
def order() -> Any:
    return init >> callback_step("Order it", ask, look, result_key="answer", timeout=3600) >> done


@dataclass
class Ordering:
    """An API, a runner that follows its bells, and a process that awaits its callback."""

    client: FlaskClient
    runner: StepRunner
    bell: SilentBell
    process_id: str = ""
    route: str = field(default="", repr=False)

    def run(self) -> None:
        while self.bell.rings:
            report = self.runner.run(self.bell.rings.pop(0).seq)
            if report is not None and report.ring is not None:
                self.bell.rings.append(report.ring)

    def show(self) -> dict[str, Any]:
        shown: dict[str, Any] = self.client.get(f"/api/processes/{self.process_id}").json
        return shown


@pytest.fixture
def ordering(context: Context, rows: Rows, database_url: str) -> Iterator[Ordering]:
    secret_key = SecretStr("a key of the tests")
    catalog = Catalog()
    catalog.add_workflow(order)
    rows.workflow(None, "order", "SYSTEM")
    bell = SilentBell()
    settings = context.settings.model_copy(update={"secret_key": secret_key})
    client = build_application(replace(context, catalog=catalog, bell=bell, settings=settings)).test_client()
    worker = WorkerConnection(database_url, "test")
    runner = StepRunner(worker, catalog, replace(LIMITS, signer=CallbackSigner(secret_key)))
    made = Ordering(client, runner, bell)
    ROUTES.clear()
    made.process_id = client.post("/api/processes/order").json["id"]
    made.run()
    (made.route,) = ROUTES
    yield made
    worker.discard()


def test_the_whole_way_over_http(ordering: Ordering) -> None:
    shown = ordering.show()
    assert (shown["last_status"], shown["callback_progress"]) == ("awaiting_callback", None)
    assert shown["due_at"] is not None
    assert shown["steps"][-3]["status"] == "awaiting_callback"

    for progress in ({"percent": 50}, "half way"):
        told = ordering.client.post(f"{ordering.route}/progress", json=progress)
        assert (told.status_code, told.data) == (200, b"")
        assert ordering.show()["callback_progress"] == progress

    answer = ordering.client.post(ordering.route, json={"number": 7})
    assert (answer.status_code, answer.data) == (200, b"")
    ordering.run()
    shown = ordering.show()
    assert (shown["last_status"], shown["callback_progress"]) == ("completed", None)
    assert shown["current_state"]["answer"] == {"number": 7}
    assert shown["current_state"]["seen"] == 7
    audit = ordering.client.get(f"/api/processes/{ordering.process_id}/audit")
    assert audit.json[0]["action"] == "callback"
    token = ordering.route.rpartition("/")[2]
    assert token not in str(shown)
    assert token not in audit.text


def test_refusals(ordering: Ordering) -> None:
    post, route = ordering.client.post, ordering.route
    assert post(route[:-1], json={}).status_code == 404
    assert post(f"{route}x/progress", json={}).status_code == 404
    assert post(route.replace(ordering.process_id, ordering.process_id[:-1] + "_"), json={}).status_code == 422
    for body in ([], "text", 1, None):
        assert post(route, json=body).status_code == 422
    for body in ([], 1, None):
        assert post(f"{route}/progress", json=body).status_code == 422
    assert post(route).status_code == 422
    assert post(route, data="{", content_type="application/json").status_code == 400
    assert post(f"{route}/progress", data="half way", content_type="text/plain").status_code == 415
    assert ordering.client.get(route).status_code == 405
    assert ordering.client.put(f"/api/processes/{ordering.process_id}/resume").status_code == 409

    assert post(route, json={"number": 1}).status_code == 200
    for again in (route, f"{route}/progress"):
        second = post(again, json={"number": 2})
        assert (second.status_code, second.json["title"]) == (409, "Conflict")
        assert route.rpartition("/")[2] not in second.text


def test_a_paused_engine_answers_503(ordering: Ordering) -> None:
    paused = ordering.client.put("/api/settings/status", json={"global_lock": True, "reason": "repairs"})
    assert paused.status_code == 200
    for way in (ordering.route, f"{ordering.route}/progress"):
        refused = ordering.client.post(way, json={"number": 1})
        assert (refused.status_code, refused.json["type"]) == (503, "/api/docs/problems#engine-paused")
    assert ordering.show()["last_status"] == "awaiting_callback"


@pytest.mark.parametrize("error", [RuntimeError("broken"), OperationalError("", {}, Exception("gone"))], ids=str)
def test_the_log_of_a_request_that_fails_has_no_token(
    ordering: Ordering, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise error

    monkeypatch.setattr(callbacks, "callbacks_of", fail)
    with structlog.testing.capture_logs() as logs:
        answer = ordering.client.post(ordering.route, json={})
    assert answer.status_code in (500, 503)
    assert [entry["path"] for entry in logs] == [f"/api/processes/{ordering.process_id}/callback/(token)"]
    assert ordering.route.rpartition("/")[2] not in answer.text


def test_the_settings_hide_the_key() -> None:
    assert "hidden" not in repr(Settings(secret_key=SecretStr("hidden from everyone")))
