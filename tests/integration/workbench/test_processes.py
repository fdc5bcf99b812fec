"""Workflows run to their end on the workbench, and what it tells of them."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from orchestrator import SubscriptionLifecycle, change_lifecycle
from orchestrator.testing import AnswersMissing, AnswersRefused, BenchProcess, Refused, Workbench
from tests.integration.workbench.catalog_on_bench import ROUTES, TRIES, Box, BoxInactive

ANSWERS: list[dict[str, Any]] = [{"customer": "alice"}, {"size": 3}]


def create(workbench: Workbench) -> BenchProcess:
    return workbench.start("create_box", product="Box", answers=ANSWERS)


def shipments(workbench: Workbench) -> int:
    with workbench.transaction() as session:
        return int(session.execute(text("SELECT count(*) FROM shipments")).scalar_one())


def test_a_workflow_runs_to_its_end_and_tells_what_each_step_did(workbench: Workbench) -> None:
    process = create(workbench).expect("completed")

    assert (process.step_key, process.failed_reason, process.assignee) == (None, None, "SYSTEM")
    assert [one.key for one in process.steps] == [
        "start",
        "make_box",
        "store_process_subscription",
        "ship",
        "set_status_active",
        "resync",
        "done",
    ]
    shipped = process.step("ship")
    assert (shipped.name, shipped.status, shipped.delta, shipped.removed) == (
        "Ship it",
        "success",
        {"shipped": 3},
        ("colour",),
    )
    assert process.state["customer"] == "alice"
    assert "colour" not in process.state
    assert shipments(workbench) == 1
    assert workbench.processes[0].process_id == process.process_id


def test_its_subscription_can_be_looked_at_in_every_way(workbench: Workbench) -> None:
    subscription = create(workbench).subscription.expect("active", insync=True)

    assert (subscription.status, subscription.insync, subscription.customer_id) == ("active", True, "alice")
    assert (subscription.product, subscription.description) == ("Box", "A box of 3")
    assert subscription.values["box"]["size"] == 3
    assert subscription.load(Box).box.size == 3
    assert subscription.in_use_by == subscription.depends_on == []
    with pytest.raises(AssertionError, match=r"\(A box of 3\) is active, in sync should be terminated, out of sync"):
        subscription.expect("terminated", insync=False)


def test_what_a_test_makes_in_a_transaction_of_its_own_can_be_worked_on(workbench: Workbench) -> None:
    with workbench.transaction():
        made = BoxInactive.from_product_id(workbench.product_id("Box"), "bob")
        made.box.size = 9
        box = change_lifecycle(made, SubscriptionLifecycle.ACTIVE)
        box.save()

    validated = workbench.start("validate_box", subscription=box).expect("failed", at="look", reason="9 falls over")
    assert validated.subscription == workbench.subscription(box.subscription_id)


def test_an_input_step_is_answered_and_refuses_what_does_not_fit(workbench: Workbench) -> None:
    box = create(workbench).subscription
    process = workbench.start("modify_box", subscription=box).expect("suspended", at="agree")

    assert process.assignee == "NOC"
    assert box.insync is False
    with pytest.raises(AnswersRefused, match=r"new_size: .* less than or equal to 9 \(given 10\)") as refused:
        process.resume({"new_size": 10})
    assert (refused.value.page, list(refused.value.errors)) == (1, ["new_size"])
    with pytest.raises(AnswersMissing, match=r"new_size \(integer, default 3\)"):
        process.resume()
    process.resume({"new_size": 5}).expect("completed")
    assert box.values["box"]["size"] == 5


def test_a_step_that_failed_runs_again_when_it_is_resumed(workbench: Workbench) -> None:
    workbench.fail_step("ship", ValueError("the post is closed"))
    process = create(workbench).expect("failed", at="ship", reason="the post is closed")

    assert "ValueError" in (process.traceback or "")
    assert TRIES == []
    process.resume().expect("completed")
    assert [one.status for one in process.attempts("ship")] == ["failed", "success"]
    assert process.attempts("ship")[0].error == "the post is closed"


def test_a_worker_that_is_lost_in_a_step_leaves_nothing_of_it_and_the_step_runs_again(workbench: Workbench) -> None:
    workbench.lose_worker_in("ship")
    process = create(workbench).expect("running", at="ship")
    assert (len(TRIES), shipments(workbench)) == (1, 0)

    workbench.run()
    process.expect("running", at="ship")
    workbench.pass_time(seconds=1)
    process.expect("completed")
    assert len(TRIES) == 2
    assert len(set(TRIES)) == 1
    assert shipments(workbench) == 1
    assert process.step("ship").attempt == 2


def test_a_process_is_skipped_past_a_step_run_again_from_one_and_aborted(workbench: Workbench) -> None:
    workbench.fail_step("ship")
    workbench.fail_step("ship")
    process = create(workbench).expect("failed").rerun("make_box").expect("failed", at="ship")
    assert [one.generation for one in process.attempts("make_box")] == [1, 2]
    process.skip("shipped by hand").expect("completed")

    box = process.subscriptions[-1]
    waiting = workbench.start("modify_box", subscription=box).expect("suspended")
    waiting.abort("changed my mind", release_subscription=True).expect("aborted")
    box.expect("active", insync=True)


def test_a_callback_is_delivered_by_the_route_that_the_step_was_handed(workbench: Workbench) -> None:
    process = workbench.start("order").expect("awaiting_callback")
    assert process.callback_route == ROUTES[-1]

    process.report_progress("half done")
    assert process.progress == "half done"
    with pytest.raises(Refused, match="no callback with this token"):
        workbench.call_back(f"/api/processes/{process.process_id}/callback/wrong", {"built": 1})
    with pytest.raises(ValueError, match="a route of a callback is"):
        workbench.call_back("/api/processes", {})
    workbench.call_back("https://orchestrator.example" + ROUTES[-1], {"built": 7})
    assert process.expect("completed").state["built"] == 7
    with pytest.raises(AssertionError, match="no callback is awaited"):
        process.call_back({})


def test_who_acts_is_asked_for(workbench: Workbench) -> None:
    with pytest.raises(Refused, match="may not"):
        workbench.start("guarded")
    workbench.acting_as("alice", "boss").start("guarded").expect("completed")
    assert len(workbench.processes) == 1


def test_a_process_can_be_started_and_run_later(workbench: Workbench) -> None:
    process = workbench.start("be_patient", run=False)
    process.expect("created", at="start")
    workbench.run()
    process.expect("waiting", at="sleep_for")


def test_what_is_not_there_says_what_is(workbench: Workbench) -> None:
    with pytest.raises(ValueError, match="there is no product 'Bax' in the database; there are Box"):
        workbench.start("create_box", product="Bax")
    with pytest.raises(Refused, match="there is no workflow 'create_bax'"):
        workbench.start("create_bax", product="Box")
    with pytest.raises(AssertionError, match=r"the step 'shop' has not run\nprocess .* completed(.|\n)*ship  "):
        create(workbench).step("shop")


def test_a_process_that_is_not_as_expected_shows_its_steps_and_where_it_failed(workbench: Workbench) -> None:
    workbench.fail_step("ship", ValueError("the post is closed"))
    process = create(workbench)

    with pytest.raises(AssertionError) as raised:
        process.expect("completed", at="done", reason="flood")
    told = str(raised.value)
    assert told.startswith(
        "it should be completed\nit should stand at done, not at ship\nit should have failed with 'flood'\n"
    )
    assert "Step 'Ship it' (ship): the post is closed" in told
    assert "ValueError: the post is closed" in told
    assert "Traceback" in told
    assert "resync                      pending" in told
