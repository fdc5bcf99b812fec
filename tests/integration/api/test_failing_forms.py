"""Forms whose own code fails: the client gets a problem with a stable code, and nothing of the inside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import field_validator
from sqlalchemy import text

from orchestrator.api.application import build_application
from orchestrator.language.forms import FormGenerator, FormPage
from orchestrator.language.steps import begin
from orchestrator.language.workflows import task
from orchestrator.migrations.catalog import create_workflow as insert_workflow
from orchestrator.storage.database import Database
from orchestrator.storage.session import db
from tests.integration.process_world import World, may_fail, process_world

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


def wants_what_is_not_there(secret: str) -> FormGenerator:
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
    yields_no_page,
    returns_no_dict,
    breaks_in_a_validator,
    asks_wrongly,
    wants_what_is_not_there,
    writes,
    writes_after_a_commit,
]


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.mark.filterwarnings("ignore::orchestrator.language.supply.UnsuppliedParameterWarning")
@pytest.mark.parametrize("form", FAILING, ids=lambda form: form.__name__)
def test_a_form_that_fails_is_a_problem_that_tells_nothing_of_the_inside(
    world: World, form: Callable[..., Any], caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert answer.json["detail"].startswith("the form of failing failed with ")
    assert "secret" not in answer.get_data(as_text=True)
    assert "secret" in capsys.readouterr().out + caplog.text
    assert world.query("SELECT description FROM workflows WHERE name = 'failing'") == [("as it was",)]
    assert world.query("SELECT count(*) FROM processes") == [(0,)]
