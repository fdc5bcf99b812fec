"""Fields that offer a choice, and the page that sums up."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import ValidationError
from pydantic_forms.core.shared import get_form_meta, page_schema

from orchestrator.language.choices import OneOf, SomeOf, summary_page
from orchestrator.language.forms import FormPage

NODES = {"17": "ams-cr6", "18": "bost-cr6", "19": "chic-cr5"}


def page(nodes: OneOf, ports: SomeOf) -> type[FormPage]:
    class ChoicePage(FormPage):
        node: Annotated[str, nodes]
        ports: Annotated[list[str], ports]

    return ChoicePage


def said(choice: type[FormPage], **entered: object) -> dict[str, str]:
    with pytest.raises(ValidationError) as refused:
        choice(**entered)
    return {str(error["loc"][0]): error["msg"].removeprefix("Value error, ") for error in refused.value.errors()}


def test_clients_see_values_and_what_people_see_of_them() -> None:
    fields = page_schema(page(OneOf(NODES), SomeOf(NODES, 1, 2)))["properties"]

    assert fields["node"]["enum"] == list(NODES)
    assert fields["node"]["options"] == NODES
    assert fields["ports"]["items"]["options"] == NODES
    assert (fields["ports"]["minItems"], fields["ports"]["maxItems"], fields["ports"]["uniqueItems"]) == (1, 2, True)


def test_what_was_chosen_is_plain_text() -> None:
    assert page(OneOf(NODES), SomeOf(NODES))(node="17", ports=["19", "18"]).model_dump() == {
        "node": "17",
        "ports": ["19", "18"],
    }


@pytest.mark.parametrize(
    ("ports", "message"),
    [
        (["20"], "20 is not among the choices: 17, 18, 19"),
        (["17", "17"], "nothing can be chosen twice"),
        ([], "0 were chosen, but it must be at least 1 and at most 2"),
        (["17", "18", "19"], "3 were chosen, but it must be at least 1 and at most 2"),
    ],
)
def test_another_choice_is_refused_with_what_would_be_right(ports: list[str], message: str) -> None:
    assert said(page(OneOf(NODES), SomeOf(NODES, 1, 2)), node="x", ports=ports) == {
        "node": "x is not among the choices: 17, 18, 19",
        "ports": message,
    }


def test_where_there_is_nothing_to_choose_the_author_says_why() -> None:
    empty = page(OneOf({}, none="there is no node"), SomeOf({}, 2, none="there is no port"))

    assert said(empty, node="17", ports=["1", "2"]) == {"node": "there is no node", "ports": "there is no port"}


def test_a_summary_shows_what_was_entered_and_asks_for_nothing() -> None:
    summary = summary_page("Check", {"MTU": (1500, 9000), "To": (None, ["a", "b"])}, headers=("now", "afterwards"))
    schema = page_schema(summary)

    assert schema["title"] == "Check"
    assert schema["properties"]["summary"]["extraProperties"]["data"] == {
        "labels": ["MTU", "To"],
        "headers": ["now", "afterwards"],
        "columns": [[1500, "none"], [9000, "a, b"]],
    }
    assert "required" not in schema
    assert get_form_meta(summary) == {"hasNext": False}
    assert said(summary, sure=True) == {"sure": "Extra inputs are not permitted"}
    assert summary().model_dump() == {"summary": None}


@pytest.mark.parametrize("sent", [None, {}, {"data": {"labels": ["MTU"]}}], ids=["the default", "nothing", "the table"])
def test_a_client_may_send_back_what_the_schema_of_a_summary_suggests_or_shows(sent: object) -> None:
    assert summary_page("Check", {"MTU": 1500}).model_validate({"summary": sent}).model_dump() == {"summary": None}
