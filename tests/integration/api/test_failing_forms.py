"""Forms whose own code fails: the client gets a problem with a stable code, and nothing of the inside."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from flask.testing import FlaskClient
from pydantic import field_validator
from sqlalchemy import text

from orchestrator.api.application import build_application
from orchestrator.language.forms import FormGenerator, FormPage
from orchestrator.language.steps import begin, inputstep
from orchestrator.language.workflows import task
from orchestrator.migrations.catalog import create_workflow as insert_workflow
from orchestrator.services.processes import start_process
from orchestrator.storage.database import Database
from orchestrator.storage.session import db
from tests.integration.process_world import OPERATOR, World, may_fail, process_world

pytestmark = pytest.mark.slow


class OddPage(FormPage):
    number: int = 1

    @field_validator("number")
    @classmethod
    def check(cls, number: int) -> int:
        raise KeyError("secret")


def raises_at_once() -> FormGenerator:
    raise RuntimeError("secret")
    yield FormPage


def raises_after_a_page() -> FormGenerator:
    yield FormPage
    raise RuntimeError("secret")


def exits() -> FormGenerator:
    sys.exit("secret")
    yield FormPage


def yields_no_page() -> Any:
    yield "secret"


def returns_no_dict() -> Any:
    yield FormPage
    return "secret"


def breaks_in_a_validator() -> FormGenerator:
    page = yield OddPage
    return page.model_dump()


def asks_wrongly() -> FormGenerator:
    db.session.execute(text("SELECT secret FROM nowhere"))
    yield FormPage


def wants_what_is_not_there(not_there: str) -> FormGenerator:
    yield FormPage


def writes() -> FormGenerator:
    db.session.execute(text("UPDATE workflows SET description = 'secret'"))
    yield FormPage


def writes_after_a_commit() -> FormGenerator:
    db.session.commit()
    db.session.execute(text("UPDATE workflows SET description = 'secret'"))
    db.session.commit()
    yield FormPage


FAILING: list[Callable[..., Any]] = [
    raises_at_once,
    raises_after_a_page,
    exits,
    breaks_in_a_validator,
    asks_wrongly,
    writes,
    writes_after_a_commit,
]


# What is wrong with these is told: it names the author's code, and nothing of what it works on.
WRITTEN_WRONGLY: list[tuple[Callable[..., Any], str]] = [
    (returns_no_dict, "StepResultError: the form of failing returned a value of type str, not a dict"),
    (
        wants_what_is_not_there,
        "MissingParameterError: parameter 'not_there' is not in the state; it has: process_id, reporter, "
        "workflow_name, workflow_target",
    ),
]


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.fixture
def post(world: World) -> Callable[..., Any]:
    """Posts a page to a task with this form."""

    def post_page(form: Callable[..., Any]) -> Any:
        def body() -> Any:
            return begin >> may_fail

        body.__name__ = "failing"
        world.context.catalog.add_workflow(task("Fails", initial_input_form=form)(body))
        with world.context.database.engine.begin() as connection:
            insert_workflow(connection, {"name": "failing", "target": "SYSTEM", "description": "as it was"})
        client: FlaskClient = build_application(world.context).test_client()
        answer = client.post("/api/processes/failing", json=[{}])
        assert (answer.status_code, answer.content_type) == (500, "application/problem+json"), answer.json
        assert answer.json["type"] == "/api/docs/problems#form-failed"
        return answer

    return post_page


@pytest.mark.parametrize("form", [*FAILING, yields_no_page], ids=lambda form: form.__name__)
def test_a_form_that_fails_is_a_problem_that_tells_nothing_of_the_inside(
    world: World,
    post: Callable[..., Any],
    form: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    answer = post(form)
    assert re.fullmatch(
        r"the form of failing failed with \w+; the log of the web server has what it said, under this request id",
        answer.json["detail"],
    )
    assert "secret" not in answer.get_data(as_text=True)
    assert "secret" in capsys.readouterr().out + caplog.text
    assert world.query("SELECT description FROM workflows WHERE name = 'failing'") == [("as it was",)]
    assert world.query("SELECT count(*) FROM processes") == [(0,)]


@pytest.mark.filterwarnings("ignore::orchestrator.language.supply.UnsuppliedParameterWarning")
@pytest.mark.parametrize(("form", "told"), WRITTEN_WRONGLY, ids=lambda one: getattr(one, "__name__", ""))
def test_a_form_that_is_written_wrongly_says_what_is_wrong(
    post: Callable[..., Any], form: Callable[..., Any], told: str
) -> None:
    assert post(form).json["detail"] == f"the form of failing failed with {told}"


def breaks_in_its_code(state: dict[str, Any]) -> FormGenerator:
    state["secret"]
    yield FormPage


@pytest.mark.filterwarnings("ignore::orchestrator.language.supply.UnsuppliedParameterWarning")
@pytest.mark.parametrize(
    ("form", "told", "logged"),
    [
        (breaks_in_its_code, "the form of 'Ask' failed with KeyError", "failed with KeyError: 'secret'"),
        (asks_wrongly, "the form of 'Ask' failed with ProgrammingError", "SELECT secret FROM nowhere"),
        (
            wants_what_is_not_there,
            "the form of 'Ask' failed with MissingParameterError: parameter 'not_there' is not in the state; it has: "
            "process_id, reporter, workflow_name, workflow_target",
            "parameter 'not_there'",
        ),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_a_process_that_waits_at_a_form_that_fails_says_so(
    world: World, form: Callable[..., Any], told: str, logged: str
) -> None:
    @task("Asks")
    def asking() -> Any:
        return begin >> inputstep("Ask", assignee="NOC")(form)

    world.context.catalog.add_workflow(asking)
    with world.context.database.engine.begin() as connection:
        insert_workflow(connection, {"name": "asking", "target": "SYSTEM", "description": "Asks"})
    process_id = start_process(world.context, OPERATOR, "asking").process_id
    world.run()

    client: FlaskClient = build_application(world.context).test_client()
    with structlog.testing.capture_logs() as lines:
        answer = client.get(f"/api/processes/{process_id}")

    assert (answer.status_code, answer.json["last_status"], answer.json["form"]) == (200, "suspended", None)
    assert answer.json["form_error"] == told
    (warned,) = [line for line in lines if line["log_level"] == "warning"]
    assert logged in warned["reason"]
    assert "exc_info" not in warned
    assert [line["log_level"] for line in lines if "exc_info" in line] == ["debug"]
