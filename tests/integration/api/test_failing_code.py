"""Authors' code beside forms that fails in a request: a problem that says whose it is, and nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Self

import pytest
import structlog
from flask.testing import FlaskClient
from pydantic import computed_field, model_validator
from sqlalchemy import text

from orchestrator.api.application import build_application
from orchestrator.domain.registry import use_products
from orchestrator.errors import CodeFailedError
from orchestrator.language.admission import AuthContext, PredicateContext, RunPredicatePass
from orchestrator.language.forms import FormPage
from orchestrator.language.parameters import name_of_function
from orchestrator.language.steps import begin, conditional, inputstep, steplens
from orchestrator.language.vocabulary import State
from orchestrator.language.workflows import task
from orchestrator.migrations.catalog import create_workflow as insert_workflow
from orchestrator.services.processes import resume_process, start_process
from orchestrator.storage.database import Database
from orchestrator.storage.session import db
from tests.integration.process_world import FAULTS, OPERATOR, Port, World, may_fail, process_world

pytestmark = pytest.mark.slow

BROKEN: Final = set[str]()
SECRETS: Final[dict[str, int]] = {}


def breaks(what: str) -> None:
    """Raise an error that says a secret, from when on this is broken."""
    if what in BROKEN:
        SECRETS["secret"]


def holds(_: State) -> bool:
    breaks("condition")
    return True


def part_of(state: State) -> State:
    breaks("get")
    return dict(state.get("part", {}))


def folded_into(state: State) -> Any:
    def fold(part: State) -> State:
        breaks("set")
        return {**state, "part": part}

    return fold


class Colour(FormPage):
    colour: str = "red"


@inputstep("Ask", assignee="NOC")
def ask() -> type[FormPage]:
    return Colour


def may_do_it(_: AuthContext) -> bool:
    breaks("authorizer")
    return True


def is_time(_: PredicateContext) -> RunPredicatePass:
    breaks("predicate")
    return RunPredicatePass()


@task("Asks and fails", authorize_callback=may_do_it, run_predicate=is_time)
def asking() -> Any:
    return begin >> may_fail >> steplens(part_of, folded_into)(conditional(holds)(ask))


class Broken(Port, is_base=True):
    """A product whose model does what it must not."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def title(self) -> str:
        db.session.execute(text("SET work_mem = '77MB'"))
        return "A title"

    @model_validator(mode="after")
    def must_be_whole(self) -> Self:
        breaks("model")
        return self


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    BROKEN.clear()
    with process_world(database, database_url) as made:
        made.context.catalog.add_workflow(asking)
        with database.engine.begin() as connection:
            insert_workflow(connection, {"name": "asking", "target": "SYSTEM", "description": "Asks"})
        yield made


@pytest.fixture
def client(world: World) -> FlaskClient:
    return build_application(world.context).test_client()


def suspended(world: World) -> str:
    process_id = start_process(world.context, OPERATOR, "asking").process_id
    world.run()
    assert world.query("SELECT status FROM processes") == [("suspended",)]
    return str(process_id)


def failed(world: World) -> str:
    FAULTS.append("down")
    process_id = start_process(world.context, OPERATOR, "asking").process_id
    world.run()
    assert world.query("SELECT status FROM processes") == [("failed",)]
    return str(process_id)


def everything(world: World) -> Any:
    return [
        world.query(f"SELECT to_jsonb(t) FROM {table} t ORDER BY 1")
        for table in ("processes", "process_steps", "process_inputs", "audit", "schedules")
    ]


def refusal(client: FlaskClient, world: World, method: str, path: str, body: Any = None) -> str:
    """What a request is told whose code fails, without the place where the log is; nothing has changed."""
    before = everything(world)
    with structlog.testing.capture_logs() as lines:
        answer = client.open(path, method=method, json=body)
    assert (answer.status_code, answer.content_type) == (500, "application/problem+json"), answer.text
    assert answer.json["type"] == "/api/docs/problems#code-failed", answer.json
    assert "secret" not in answer.text
    [logged] = [line for line in lines if line["log_level"] == "error"]
    assert logged["request_id"] == answer.json["request_id"]
    assert "secret" in logged["exc_info"].in_full
    assert everything(world) == before
    told: str = answer.json["detail"].removesuffix(
        "; the log of the web server has what it said, under this request id"
    )
    return told


@pytest.mark.parametrize(
    ("broken", "place"),
    [
        ("condition", f"the condition {name_of_function(holds)} of this step"),
        ("get", f"{name_of_function(part_of)}, the get of this step's lens"),
        ("set", f"{name_of_function(folded_into)}, the set of this step's lens"),
    ],
)
def test_a_condition_or_lens_that_fails_at_a_resume_is_named(
    world: World, client: FlaskClient, broken: str, place: str
) -> None:
    process_id = suspended(world)
    BROKEN.add(broken)
    told = refusal(client, world, "PUT", f"/api/processes/{process_id}/resume", [{"colour": "blue"}])
    assert told == f"Step 'Ask' (key ask) of asking failed with KeyError, raised by {place}"
    with pytest.raises(CodeFailedError):
        resume_process(world.context, OPERATOR, world.query("SELECT process_id FROM processes")[0][0], [{}])

    shown = client.get(f"/api/processes/{process_id}")
    assert (shown.status_code, shown.json["form_error"]) == (200, None if broken == "set" else told)

    BROKEN.clear()
    assert client.put(f"/api/processes/{process_id}/resume", json=[{"colour": "blue"}]).status_code == 204
    world.run()
    assert world.query("SELECT status, state -> 'part' FROM processes") == [("completed", {"colour": "blue"})]


@pytest.mark.parametrize("action", ["resume", "abort", "pause"])
def test_an_authorizer_that_fails_is_named(world: World, client: FlaskClient, action: str) -> None:
    process_id = suspended(world)
    BROKEN.add("authorizer")
    told = refusal(client, world, "PUT", f"/api/processes/{process_id}/{action}")
    assert told == f"the authorizer {name_of_function(may_do_it)} of asking failed with KeyError"


@pytest.mark.parametrize(
    ("action", "body"),
    [("resume", None), ("skip", {"reason": "no"}), ("rerun", {"step": "may_fail"}), ("migrate", {"step": "ask"})],
)
def test_an_authorizer_that_fails_for_a_process_that_failed_is_named(
    world: World, client: FlaskClient, action: str, body: Any
) -> None:
    process_id = failed(world)
    BROKEN.add("authorizer")
    told = refusal(client, world, "PUT", f"/api/processes/{process_id}/{action}", body)
    assert told == f"the authorizer {name_of_function(may_do_it)} of asking failed with KeyError"


@pytest.mark.parametrize(
    ("broken", "told"),
    [
        ("authorizer", f"the authorizer {name_of_function(may_do_it)} of asking failed with KeyError"),
        ("predicate", f"the run predicate {name_of_function(is_time)} of asking failed with KeyError"),
    ],
)
def test_what_fails_at_a_start_is_named(world: World, client: FlaskClient, broken: str, told: str) -> None:
    BROKEN.add(broken)
    assert refusal(client, world, "POST", "/api/processes/asking", [{}]) == told
    assert world.query("SELECT count(*) FROM processes") == [(0,)]


def test_an_authorizer_that_fails_is_named_where_schedules_are_kept(world: World, client: FlaskClient) -> None:
    wanted = {"workflow_name": "asking", "name": "nightly", "every": 60}
    made = client.post("/api/schedules/", json=wanted)
    assert made.status_code == 201, made.text
    schedule = f"/api/schedules/{made.json['schedule_id']}"
    BROKEN.add("authorizer")
    for method, path, body in (
        ("POST", "/api/schedules/", wanted),
        ("PATCH", schedule, {"name": "daily"}),
        ("PUT", f"{schedule}/pause", {}),
        ("POST", f"{schedule}/run", None),
        ("DELETE", schedule, None),
    ):
        told = refusal(client, world, method, path, body)
        assert told == f"the authorizer {name_of_function(may_do_it)} of asking failed with KeyError"


def test_a_model_that_fails_is_named_and_what_it_sets_ends_with_it(world: World, client: FlaskClient) -> None:
    subscription_id = world.subscription()
    use_products({"Port": Broken})
    path = f"/api/subscriptions/domain-model/{subscription_id}"
    with world.context.database.reading() as session:
        usual = session.execute(text("SHOW work_mem")).scalar_one()
    assert client.get(path).json["title"] == "A title"
    assert world.query("SHOW work_mem") == [(usual,)]

    BROKEN.add("model")
    told = refusal(client, world, "GET", path)
    assert told == f"the model of subscription {subscription_id} failed with KeyError"
    assert world.query("SHOW work_mem") == [(usual,)]
