"""The forms of the example product, walked as a client does, against the lab over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from orchestrator.errors import FormIncompleteError, FormInvalidError
from orchestrator.services.forms import walk
from product_workflows.lab.server import running_lab
from product_workflows.node_enrollment.create_node_enrollment import initial_input_form_generator
from product_workflows.node_enrollment.modify_node_enrollment import agree_to_change

FIRST = {"organisation": "university", "select_node": "ams-cr6"}
SECOND = {"url": "https://esdb.example.net/nodes/101", "role_id": "1"}


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    with running_lab() as address, httpx.Client(base_url=address, timeout=5) as client:
        monkeypatch.setenv("LAB_URL", address)
        yield client


def fill_in(*pages: dict[str, Any]) -> dict[str, Any]:
    return walk(initial_input_form_generator, {"product_name": "Node Enrollment"}, list(pages), "the form").delta


def next_page(*pages: dict[str, Any]) -> dict[str, Any]:
    with pytest.raises(FormIncompleteError) as incomplete:
        fill_in(*pages)
    members: dict[str, Any] = incomplete.value.members
    return members


def complaint(*pages: dict[str, Any]) -> str:
    with pytest.raises(FormInvalidError) as invalid:
        fill_in(*pages)
    return str(invalid.value)


def test_the_first_page_offers_the_nodes_that_are_free(lab: httpx.Client) -> None:
    lab.put("/esdb/nodes/102/reservation", json={"subscription_id": "another"})
    page = next_page()

    assert page["meta"] == {"hasNext": True}
    offered = page["form"]["properties"]["select_node"]["enum"]
    assert len(offered) == 7
    assert "bost-cr6" not in offered


def test_the_last_page_suggests_what_esdb_knows(lab: httpx.Client) -> None:
    page = next_page(FIRST)
    suggested = {name: asked["default"] for name, asked in page["form"]["properties"].items()}

    assert page["meta"] == {"hasNext": False}
    assert suggested == SECOND


def test_the_form_yields_what_the_first_step_asks_for(lab: httpx.Client) -> None:
    node = lab.get("/esdb/nodes/101").json()
    assert fill_in(FIRST, SECOND) == {**FIRST, **SECOND, "esdb_node_id": 101, "uuid": node["uuid"]}


def test_a_node_that_is_taken_in_the_meantime_is_refused_with_those_that_are_free(lab: httpx.Client) -> None:
    lab.put("/esdb/nodes/101/reservation", json={"subscription_id": "another"})
    assert "ams-cr6 is not a free node; free are bost-cr6" in complaint(FIRST, SECOND)


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"answer": "malformed"}, {"answer": {"nodes": []}}], ids=["503", "malformed", "wrong"]
)
def test_while_esdb_is_ill_the_form_says_so(lab: httpx.Client, fault: dict[str, Any]) -> None:
    assert lab.put("/lab/faults", json={"path": "/esdb", "times": None, **fault}).status_code == 200
    assert next_page()["form"]["properties"]["select_node"]["enum"] == []
    assert "ESDB cannot say which nodes are free" in complaint(FIRST)


def test_while_esdb_is_away_the_form_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_URL", "http://127.0.0.1:1")
    assert "ESDB cannot say which nodes are free" in complaint(FIRST)


@pytest.mark.parametrize(
    "wrong", [{"url": "ftp://esdb"}, {"role_id": "7"}, {"role_id": ""}, {"unknown": 1}], ids=lambda page: str(page)
)
def test_a_detail_that_cannot_be_is_refused(lab: httpx.Client, wrong: dict[str, Any]) -> None:
    assert next(iter(wrong)) in complaint(FIRST, {**SECOND, **wrong})


@pytest.mark.parametrize("answer", [{"agreed": False, "ticket": "CHG-1"}, {"agreed": True, "ticket": "soon"}, {}])
def test_a_change_needs_consent_and_a_ticket(answer: dict[str, Any]) -> None:
    change = {"routing_domain": {"from": "esnet-293", "to": "esnet-294"}}
    state = {"node_name": "ams-cr6", "change": change}
    assert walk(agree_to_change.function, state, [{"agreed": True, "ticket": "CHG-1"}], "the form").delta == {
        "agreed": True,
        "ticket": "CHG-1",
    }
    with pytest.raises(FormInvalidError):
        walk(agree_to_change.function, state, [answer], "the form")
