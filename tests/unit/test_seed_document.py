"""The code of the seed document, as far as it needs no database: it is written as there, and means what it says."""

from __future__ import annotations

import importlib
from collections.abc import Iterator

import pytest

from orchestrator import Target, Workflow
from orchestrator.services.subscriptions import (
    WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS,
    WF_USABLE_MAP,
    WF_USABLE_WHILE_OUT_OF_SYNC,
)
from tests.seed import node_enrollment
from tests.seed.usage_maps import empty_usage_maps


@pytest.fixture
def usage_maps() -> Iterator[None]:
    """For the document alone."""
    with empty_usage_maps():
        yield


def test_a_create_workflow_runs_the_steps_of_the_document_and_ends_in_its_status() -> None:
    workflow = node_enrollment.create_node_enrollment
    assert (workflow.name, workflow.target) == ("create_node_enrollment", Target.CREATE)
    assert workflow.description == "Create Node Enrollment"
    assert workflow.keys == (
        "start",
        "construct_node_enrollment_model",
        "store_process_subscription",
        "do_things",
        "update_subscription_name_and_description",
        "set_status_provisioning",
        "resync",
        "done",
    )


@pytest.mark.parametrize(
    ("workflow", "target", "keys"),
    [
        (
            node_enrollment.validate_node_enrollment,
            Target.VALIDATE,
            ["unsync_unchecked", "load_initial_state", "look_up_node", "check_nso", "resync"],
        ),
        (
            node_enrollment.provision_node_enrollment,
            Target.MODIFY,
            ["unsync", "load_initial_state", "look_up_node", "update_subscription_and_description", "resync"],
        ),
        (
            node_enrollment.terminate_node_enrollment,
            Target.TERMINATE,
            ["unsync", "load_subscription_info", "set_status_terminated", "resync"],
        ),
    ],
    ids=lambda value: value.name if isinstance(value, Workflow) else None,
)
def test_the_other_workflows_take_the_subscription_first_and_give_it_back_last(
    workflow: Workflow, target: Target, keys: list[str]
) -> None:
    assert workflow.target is target
    assert list(workflow.keys) == ["start", "store_process_subscription", *keys, "done"]


def test_a_step_that_says_it_returns_a_form_generator_is_an_ordinary_step() -> None:
    assert node_enrollment.load_subscription_info.kind == node_enrollment.check_nso.kind == "call"


def test_the_steps_have_the_names_that_people_are_shown() -> None:
    assert node_enrollment.load_subscription_info.name == "Load relevant subscription information"
    assert node_enrollment.do_things.name == "Do things rather than thing"


def test_the_form_generator_asks_page_after_page_and_gives_what_the_first_step_needs() -> None:
    form = node_enrollment.initial_input_form_generator("Node Enrollment")
    first = next(form)
    second = form.send(first(organisation="university", select_node="ams-cr6"))
    with pytest.raises(StopIteration) as end:
        form.send(second(role_id="1"))

    assert (first.meta__, second.meta__) == ({"hasNext": True}, {"hasNext": True})
    assert end.value.value == {
        "organisation": "university",
        "select_node": "ams-cr6",
        "role_id": "1",
        "esdb_node_id": 101,
        "url": "https://esdb/101",
        "uuid": "d7f1",
    }


def test_the_usage_maps_can_be_changed_at_import(usage_maps: None) -> None:
    importlib.import_module("tests.seed.usage")

    assert WF_USABLE_MAP["validate_node_enrollment"] == ["active", "provisioning"]
    assert WF_USABLE_MAP["modify_node_enrollment"] == ["provisioning"]
    assert WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS["modify_node_enrollment"] is True
    assert "modify_description" in WF_USABLE_WHILE_OUT_OF_SYNC
