"""Which workflows may run on a subscription: every rule, with its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from orchestrator.domain import usage
from orchestrator.domain.usage import HoldingProcess, SubscriptionFacts, WorkflowFacts, why_blocked, why_locked
from orchestrator.language.vocabulary import SubscriptionLifecycle, Target

ACTIVE = SubscriptionFacts(SubscriptionLifecycle.ACTIVE, insync=True)
OUT_OF_SYNC = SubscriptionFacts(SubscriptionLifecycle.ACTIVE, insync=False)


@pytest.fixture(autouse=True)
def maps() -> Iterator[None]:
    """The maps of an author, for one test."""
    before = (
        dict(usage.WF_USABLE_MAP),
        dict(usage.WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS),
        list(usage.WF_USABLE_WHILE_OUT_OF_SYNC),
    )
    yield
    for present, old in zip(
        (usage.WF_USABLE_MAP, usage.WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS), before[:2], strict=True
    ):
        present.clear()
        present.update(old)
    usage.WF_USABLE_WHILE_OUT_OF_SYNC[:] = before[2]


def workflow(target: Target, name: str = "a_workflow", is_task: bool = False) -> WorkflowFacts:
    return WorkflowFacts(name, target, is_task)


def in_status(status: SubscriptionLifecycle) -> SubscriptionFacts:
    return SubscriptionFacts(status, insync=True)


@pytest.mark.parametrize("target", [Target.MODIFY, Target.SYSTEM, Target.VALIDATE, Target.RECONCILE])
@pytest.mark.parametrize("status", SubscriptionLifecycle)
def test_workflows_run_on_active_subscriptions_by_default(target: Target, status: SubscriptionLifecycle) -> None:
    blocked = why_blocked(workflow(target), in_status(status))
    if status is SubscriptionLifecycle.ACTIVE:
        assert blocked is None
    else:
        assert blocked is not None
        assert blocked.reason == "subscription.no_modify_invalid_status"
        assert blocked.details() == {"usable_when": ["active"], "status": status.value}
        assert "when it is active" in blocked.message


@pytest.mark.parametrize("status", SubscriptionLifecycle)
def test_terminate_runs_in_any_status_unless_the_map_says_otherwise(status: SubscriptionLifecycle) -> None:
    terminate = workflow(Target.TERMINATE, "terminate_node")
    assert why_blocked(terminate, in_status(status)) is None
    usage.WF_USABLE_MAP["terminate_node"] = ["provisioning"]
    is_blocked = why_blocked(terminate, in_status(status)) is not None
    assert is_blocked == (status is not SubscriptionLifecycle.PROVISIONING)


@pytest.mark.parametrize("status", SubscriptionLifecycle)
def test_create_never_runs_on_an_existing_subscription(status: SubscriptionLifecycle) -> None:
    blocked = why_blocked(workflow(Target.CREATE), in_status(status))
    assert blocked is not None
    assert "never runs on an existing subscription" in blocked.message
    assert blocked.usable_when == ()


def test_the_map_of_the_seed_document() -> None:
    usage.WF_USABLE_MAP.update(
        {
            "validate_node_enrollment": ["active", "provisioning"],
            "provision_node_enrollment": [SubscriptionLifecycle.ACTIVE, SubscriptionLifecycle.PROVISIONING],
            "modify_node_enrollment": ["provisioning"],
        }
    )
    provisioning = in_status(SubscriptionLifecycle.PROVISIONING)
    assert why_blocked(workflow(Target.SYSTEM, "validate_node_enrollment"), provisioning) is None
    assert why_blocked(workflow(Target.MODIFY, "provision_node_enrollment"), provisioning) is None
    assert why_blocked(workflow(Target.MODIFY, "provision_node_enrollment"), ACTIVE) is None
    assert why_blocked(workflow(Target.MODIFY, "modify_node_enrollment"), provisioning) is None
    blocked = why_blocked(workflow(Target.MODIFY, "modify_node_enrollment"), ACTIVE)
    assert blocked is not None
    assert blocked.usable_when == ("provisioning",)


@pytest.mark.parametrize(
    ("candidate", "may_run"),
    [
        (workflow(Target.MODIFY), False),
        (workflow(Target.TERMINATE), False),
        (workflow(Target.VALIDATE), False),
        (workflow(Target.VALIDATE, is_task=True), True),
        (workflow(Target.SYSTEM), True),
        (workflow(Target.RECONCILE), True),
        (workflow(Target.MODIFY, "modify_note"), True),
    ],
)
def test_only_tasks_and_named_workflows_run_out_of_sync(candidate: WorkflowFacts, may_run: bool) -> None:
    blocked = why_blocked(candidate, OUT_OF_SYNC)
    assert (blocked is None) == may_run
    if blocked is not None:
        assert blocked.reason == "subscription.not_in_sync"
        assert blocked.details() == {}


@pytest.mark.parametrize(
    ("status", "does"), [("failed", "works on it"), ("running", "works on it"), ("aborted", "left it unfinished")]
)
def test_the_process_that_holds_a_subscription_is_named(status: str, does: str) -> None:
    holder = HoldingProcess(uuid4(), "modify_node", status)
    blocked = why_locked(replace(OUT_OF_SYNC, held_by=holder))
    assert blocked is not None
    assert (
        blocked.message
        == f"The subscription is not in sync: process {holder.process_id} (modify_node, {status}) {does}"
    )
    told = {"process_id": str(holder.process_id), "workflow_name": "modify_node", "status": status}
    assert blocked.details() == {"held_by": told}


def test_a_workflow_is_allowed_out_of_sync_by_its_name() -> None:
    usage.WF_USABLE_WHILE_OUT_OF_SYNC.extend(["modify_description"])
    assert why_blocked(workflow(Target.MODIFY, "modify_description"), OUT_OF_SYNC) is None
    assert why_blocked(workflow(Target.MODIFY, "modify_node"), OUT_OF_SYNC) is not None


def test_relations_out_of_sync_block_what_does_not_run_out_of_sync() -> None:
    relation = uuid4()
    locked = SubscriptionFacts(SubscriptionLifecycle.ACTIVE, insync=True, locked_relations=(relation,))
    blocked = why_blocked(workflow(Target.MODIFY), locked)
    assert blocked is not None
    assert blocked.reason == "subscription.relations_not_in_sync"
    assert blocked.details() == {"locked_relations": [str(relation)]}
    assert blocked == why_locked(locked)
    assert why_blocked(workflow(Target.SYSTEM), locked) is None
    assert why_locked(ACTIVE) is None


def test_users_block_terminate_and_what_the_map_names() -> None:
    user = uuid4()
    used = SubscriptionFacts(SubscriptionLifecycle.ACTIVE, insync=True, unterminated_in_use_by_subscriptions=(user,))
    terminate, modify = workflow(Target.TERMINATE, "terminate_node"), workflow(Target.MODIFY, "modify_node_enrollment")
    blocked = why_blocked(terminate, used)
    assert blocked is not None
    assert blocked.reason == "subscription.no_modify_subscription_in_use_by_others"
    assert blocked.details() == {"unterminated_in_use_by_subscriptions": [str(user)]}
    assert why_blocked(modify, used) is None

    usage.WF_BLOCKED_BY_IN_USE_BY_SUBSCRIPTIONS.update({"modify_node_enrollment": True, "terminate_node": False})
    assert why_blocked(modify, used) is not None
    assert why_blocked(terminate, used) is None


def test_a_task_out_of_sync_is_still_held_back_by_its_status() -> None:
    blocked = why_blocked(workflow(Target.SYSTEM), SubscriptionFacts(SubscriptionLifecycle.INITIAL, insync=False))
    assert blocked is not None
    assert blocked.reason == "subscription.no_modify_invalid_status"
