"""The forms of the example product, walked as a client does, against the lab over HTTP."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from orchestrator.testing import BenchForm, Workbench

FIRST = {"organisation": "university", "select_node": "ams-cr6"}
SECOND = {"url": "https://esdb.example.net/nodes/101", "role_id": "1"}


def form_of(workbench: Workbench) -> BenchForm:
    return workbench.form("create_node_enrollment", product="Node Enrollment")


def test_the_first_page_offers_the_nodes_that_are_free(workbench: Workbench, lab: httpx.Client) -> None:
    lab.put("/esdb/nodes/102/reservation", json={"subscription_id": "another"})
    page = form_of(workbench).page

    assert page.has_next is True
    offered = page.choices("select_node")
    assert len(offered) == 7
    assert "bost-cr6" not in offered


def test_the_last_page_suggests_what_esdb_knows(workbench: Workbench, lab: httpx.Client) -> None:
    page = form_of(workbench).answer(FIRST).page

    assert page.has_next is False
    assert page.defaults == SECOND


def test_the_form_yields_what_the_first_step_asks_for(workbench: Workbench, lab: httpx.Client) -> None:
    node = lab.get("/esdb/nodes/101").json()
    entered = form_of(workbench).answer(FIRST).answer(SECOND).entered

    assert entered.items() >= {**FIRST, **SECOND, "esdb_node_id": 101, "uuid": node["uuid"]}.items()


def test_a_node_that_is_taken_in_the_meantime_is_refused_with_those_that_are_free(
    workbench: Workbench, lab: httpx.Client
) -> None:
    form = form_of(workbench)
    lab.put("/esdb/nodes/101/reservation", json={"subscription_id": "another"})

    assert form.errors(FIRST)["select_node"].startswith("ams-cr6 is not a free node; free are bost-cr6")


@pytest.mark.parametrize(
    "fault", [{"status": 503}, {"answer": "malformed"}, {"answer": {"nodes": []}}], ids=["503", "malformed", "wrong"]
)
def test_while_esdb_is_ill_the_form_says_so(workbench: Workbench, lab: httpx.Client, fault: dict[str, Any]) -> None:
    assert lab.put("/lab/faults", json={"path": "/esdb", "times": None, **fault}).status_code == 200
    form = form_of(workbench)

    assert form.page.choices("select_node") == []
    assert "ESDB cannot say which nodes are free" in form.errors(FIRST)["select_node"]


def test_while_esdb_is_away_the_form_says_so(workbench: Workbench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_URL", "http://127.0.0.1:1")
    assert "ESDB cannot say which nodes are free" in form_of(workbench).errors(FIRST)["select_node"]


@pytest.mark.parametrize(
    "wrong", [{"url": "ftp://esdb"}, {"role_id": "7"}, {"role_id": ""}, {"unknown": 1}], ids=lambda page: str(page)
)
def test_a_detail_that_cannot_be_is_refused(workbench: Workbench, lab: httpx.Client, wrong: dict[str, Any]) -> None:
    form = form_of(workbench).answer(FIRST)
    assert list(form.errors({**SECOND, **wrong})) == list(wrong)


def test_a_change_needs_consent_and_a_ticket(workbench: Workbench, lab: httpx.Client) -> None:
    created = form_of(workbench).answer(FIRST).answer(SECOND).submit()
    modify = workbench.form("modify_node_enrollment", subscription=created.subscription)
    consent = modify.answer(routing_domain="esnet-294").submit().form()

    assert consent.page.title == "Move ams-cr6 from esnet-293 to esnet-294"
    assert list(consent.errors(agreed=False, ticket="CHG-1")) == ["agreed"]
    assert list(consent.errors(agreed=True, ticket="soon")) == ["ticket"]
    assert list(consent.errors()) == ["agreed", "ticket"]
    assert consent.answer(agreed=True, ticket="CHG-1").entered == {"agreed": True, "ticket": "CHG-1"}
