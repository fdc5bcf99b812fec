"""The API does what its own OpenAPI document says, whatever it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final
from uuid import UUID

import pytest
import requests
import schemathesis
from schemathesis.config import SchemathesisConfig

from tests.end_to_end.running_system import REPOSITORY, RunningSystem, running_system

pytestmark = pytest.mark.slow

DOCUMENT: Final = REPOSITORY / "docs" / "openapi.json"

# The same requests in every run.
SETTINGS: Final = {
    "seed": 1,
    "generation": {"max-examples": 12, "deterministic": True, "database": "none", "no-shrink": True},
    "checks": {
        # 510 says that the form has another page; no other answer from 500 on is expected while all is well.
        "not_a_server_error": {"expected-statuses": ["1xx", "2xx", "3xx", "4xx", 510]},
        "negative_data_rejection": {"expected-statuses": ["400", "404", "405", "409", "414", "415", "422"]},
        # What a filter or a form may hold is more than a schema says.
        "positive_data_acceptance": {"enabled": False},
        # Two paths of the document meet in one address: /processes/{workflow_key} and /processes/{process_id}.
        "unsupported_method": {"enabled": False},
        "allow_header_conformance": {"enabled": False},
    },
    "warnings": False,
}

# What stands for something that exists: an id alone would never be guessed. See `existing`.
PLACES: Final = {
    "process_id": 3,
    "subscription_id": 1,
    "product_id": 2,
    "product_block_id": 2,
    "resource_type_id": 2,
    "workflow_id": 2,
    "schedule_id": 1,
}
# What these do needs a step by its key, another release of the code, or a thing that the body names: nobody makes
# that up.
NOT_BY_CHANCE: Final = {
    "PUT /api/processes/{process_id}/rerun",
    "PUT /api/processes/{process_id}/migrate",
    "POST /api/schedules/",
    "PUT /api/schedules/",
    "DELETE /api/schedules/",
}
TOKENS: Final = ["dG9rZW4", "%C3%BC"]
WORKFLOWS: Final = ["ten_steps", "ask_for_colour", "create_thing", "modify_thing"]


def stand_in(name: str, number: int) -> str:
    """The id that stands for one of the things of a kind that exist."""
    return str(UUID(int=(list(PLACES).index(name) + 1) * 1000 + number))


def with_examples(document: dict[str, Any]) -> dict[str, Any]:
    """The document with examples of things that exist for all parameters of paths."""
    for path in document["paths"].values():
        for operation in (path, *(part for part in path.values() if isinstance(part, dict))):
            for parameter in operation.get("parameters", []):
                if parameter.get("in") == "path":
                    name = parameter["name"]
                    values = {"workflow_key": WORKFLOWS, "token": TOKENS}.get(name) or [
                        stand_in(name, n) for n in range(PLACES[name])
                    ]
                    parameter["examples"] = {value: {"value": value} for value in values}
    return document


contract = schemathesis.openapi.from_dict(
    with_examples(json.loads(DOCUMENT.read_text())), config=SchemathesisConfig.from_dict(SETTINGS)
)


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """A system of its own: what is sent here would disturb others."""
    with running_system() as running:
        yield running


@pytest.fixture(scope="module")
def processes(system: RunningSystem) -> Callable[[str], dict[str, str]]:
    """The ids of processes for an operation, and a token, by what stands for them: what it does disturbs no other."""

    @cache
    def for_operation(label: str) -> dict[str, str]:
        if "/callback/" in label:
            gate = system.new_gate()
            awaiting = system.start("order_outside", {"gate": gate.name})
            system.wait_for(awaiting, "awaiting_callback")
            token = (gate.folder / f"{gate.name}.route").read_text().rpartition("/")[2]
            stand_ins = {stand_in("process_id", number): awaiting for number in range(PLACES["process_id"])}
            return {**stand_ins, TOKENS[0]: token}
        failing = system.start("fail_until_open", {"gate": system.new_gate().name})
        asking = system.start("ask_for_colour")
        system.wait_for(failing, "failed")
        system.wait_for(asking, "suspended")
        if label.endswith("/unpause"):
            system.api.put(f"/api/processes/{failing}/pause").raise_for_status()
        found = [failing, asking, str(system.run("ten_steps")["process_id"])]
        return {stand_in("process_id", number): identifier for number, identifier in enumerate(found)}

    return for_operation


@pytest.fixture(scope="module")
def schedules(system: RunningSystem) -> Callable[[str], dict[str, str]]:
    """The id of a schedule for an operation, by what stands for it."""

    @cache
    def for_operation(label: str) -> dict[str, str]:
        made = system.api.post("/api/schedules/", json={"workflow_name": "ten_steps", "cron": "0 0 1 1 *"})
        schedule_id = made.raise_for_status().json()["schedule_id"]
        if label.endswith("/unpause"):
            system.api.put(f"/api/schedules/{schedule_id}/pause").raise_for_status()
        return {stand_in("schedule_id", 0): schedule_id}

    return for_operation


@pytest.fixture(scope="module")
def existing(system: RunningSystem) -> dict[str, str]:
    """The ids of other things that exist, by the ids that stand for them."""
    found = {"subscription_id": [system.new_thing()]}
    for name in ("product_id", "product_block_id", "resource_type_id", "workflow_id"):
        found[name] = [item[name] for item in system.api.get(f"/api/{name.removesuffix('_id')}s/").json()]
    return {stand_in(name, number): found[name][number] for name in found for number in range(PLACES[name])}


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One connection for all requests."""
    with requests.Session() as session:
        yield session


@pytest.fixture(scope="module")
def asked() -> dict[str, set[tuple[str, int]]]:
    """The methods and statuses of all answers so far, by operation."""
    return {}


def test_the_document_that_is_served_is_the_one_that_is_committed(system: RunningSystem) -> None:
    assert system.api.get("/api/openapi.json").json() == json.loads(DOCUMENT.read_text())


# With a parameter of pytest's beside it, the id of each case names its operation. Without one, all have the same id
# (pytest 9.2), and pytest-xdist would run one of them alone.
@pytest.mark.parametrize("document", [DOCUMENT.name])
@contract.parametrize()
def test_every_answer_is_one_that_the_document_describes(
    case: schemathesis.Case,
    document: str,
    system: RunningSystem,
    existing: dict[str, str],
    processes: Callable[[str], dict[str, str]],
    schedules: Callable[[str], dict[str, str]],
    session: requests.Session,
    asked: dict[str, set[tuple[str, int]]],
) -> None:
    label = case.operation.label
    known = {
        **existing,
        **(processes(label) if "{process_id}" in label else {}),
        **(schedules(label) if "{schedule_id}" in label else {}),
    }
    for name, value in case.path_parameters.items():
        case.path_parameters[name] = known.get(value, value) if isinstance(value, str) else value
    answer = case.call_and_validate(base_url=str(system.api.base_url), session=session)
    asked.setdefault(label, set()).add((case.method, answer.status_code))
    if label == "PUT /api/settings/status":
        # Else all others would be refused from now on.
        system.api.put("/api/settings/status", json={"global_lock": False}).raise_for_status()


def test_every_operation_was_asked_for_something_that_it_can_do(asked: dict[str, set[tuple[str, int]]]) -> None:
    operations = {found.ok().label for found in contract.get_all_operations()}
    if asked.keys() != operations:
        pytest.skip("only when all of them were asked")
    refused = {
        label
        for label, answers in asked.items()
        if not any(label.startswith(f"{method} ") and status < 300 for method, status in answers)
    }
    assert refused == NOT_BY_CHANCE
