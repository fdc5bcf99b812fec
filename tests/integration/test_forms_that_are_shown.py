"""The form of a process that waits for input, where its detail shows it: an author's code, in the middle of reading."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import text

from orchestrator.language.forms import FormGenerator, FormPage
from orchestrator.language.steps import begin, inputstep
from orchestrator.language.workflows import task
from orchestrator.migrations.catalog import create_workflow as insert_workflow
from orchestrator.services.process_views import process_detail
from orchestrator.services.processes import start_process
from orchestrator.storage.database import Database
from orchestrator.storage.session import db
from tests.integration.process_world import OPERATOR, World, process_world


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.mark.parametrize(
    ("statement", "is_shown"), [("SET work_mem = '77MB'", True), ("SELECT secret FROM nowhere", False)]
)
def test_what_a_form_does_where_it_is_shown_stays_there(world: World, statement: str, is_shown: bool) -> None:
    @inputstep("Ask", assignee="NOC")
    def ask() -> FormGenerator:
        db.session.execute(text(statement))
        yield FormPage
        return {}

    @task("Asks for something")
    def asks() -> Any:
        return begin >> ask

    world.context.catalog.add_workflow(asks)
    with world.context.database.engine.begin() as connection:
        insert_workflow(connection, {"name": "asks", "target": "SYSTEM", "description": "Asks"})
    process_id = start_process(world.context, OPERATOR, "asks").process_id
    world.run()

    detail = process_detail(world.context, process_id)
    assert (detail.process.last_status, detail.form is not None) == ("suspended", is_shown)
    assert world.query("SHOW work_mem") != [("77MB",)]
