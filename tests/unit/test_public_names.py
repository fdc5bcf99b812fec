"""What authors import from `orchestrator` is pinned: taking a name away breaks their code."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import orchestrator

NAMES = """
step retrystep inputstep step_group callback_step conditional focussteps steplens begin init done abort StepList
workflow task create_workflow modify_workflow terminate_workflow validate_workflow reconcile_workflow set_status
store_process_subscription sleep_for wait_until unsync unsync_unchecked resync ensure_provisioning_status
SubscriptionModel ProductBlockModel SubscriptionLifecycle change_lifecycle Target State UUIDstr FormPage
SubmitFormPage FormGenerator InputFormGenerator Retry REMOVED db Catalog Workflow Step Actor Assignee AuthAction
AuthContext PredicateContext RunPredicatePass RunPredicateFail no_uncompleted_instance no_running_instance
awaiting_callbacks_exist ProcessStatus StepStatus InconsistentDataError
ProcessFailureError OneOf SomeOf summary_page
""".split()  # noqa: SIM905 - read as words


def test_the_public_names_are_these_and_no_others() -> None:
    assert sorted(orchestrator.__all__) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_each_public_name_can_be_imported(name: str) -> None:
    assert getattr(orchestrator, name) is not None


def test_an_unknown_name_is_refused_as_by_any_module() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        orchestrator.nothing  # noqa: B018


def test_type_checkers_see_the_same_names() -> None:
    tree = ast.parse(Path(orchestrator.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {alias.name for node in ast.walk(block) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == set(NAMES)
