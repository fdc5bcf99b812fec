"""The workflows that every installation has, run by the real engine on the workflows and ports of the tests' world."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from orchestrator.domain.predicates import awaiting_callbacks_exist, no_running_instance, no_uncompleted_instance
from orchestrator.domain.registry import use_products
from orchestrator.errors import FormInvalidError, NoContextError, PredicateFailedError
from orchestrator.language.admission import PredicateContext, RunPredicate, RunPredicateFail, RunPredicatePass
from orchestrator.language.parameters import name_of_function
from orchestrator.language.vocabulary import Actor, SubscriptionLifecycle
from orchestrator.services.builtin_workflows import BUILTIN, register_builtin
from orchestrator.services.cleaning import clean_up
from orchestrator.services.context import context_in_force
from orchestrator.services.processes import abort_process, start_process
from orchestrator.services.validating import start_validations
from orchestrator.storage.database import Database
from tests.integration.process_world import FAULTS, OPERATOR, World, process_world

CLEANER = Actor("schedule clean up (system)")
OLD = "now() - interval '31 days'"


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        register_builtin(made.context.catalog)
        made.query("UPDATE workflows SET target = 'VALIDATE', is_task = true WHERE name = 'validate_port'")
        context_in_force.use(made.context)
        yield made
        context_in_force.use(None)


def started(world: World, workflow: str, *pages: dict[str, Any]) -> UUID:
    return start_process(world.context, OPERATOR, workflow, list(pages)).process_id


def ran(world: World, workflow: str, *pages: dict[str, Any]) -> UUID:
    process_id = started(world, workflow, *pages)
    world.run()
    return process_id


def status(world: World, process_id: UUID) -> str | None:
    rows = world.query("SELECT status FROM processes WHERE process_id = :id", id=process_id)
    return rows[0][0] if rows else None


def age(world: World, *process_ids: UUID) -> None:
    aged = f"UPDATE processes SET started_at = {OLD}, last_modified_at = {OLD} WHERE process_id = ANY(:ids)"
    world.query(aged, ids=list(process_ids))


def state(world: World, process_id: UUID) -> dict[str, Any]:
    return world.query("SELECT state FROM processes WHERE process_id = :id", id=process_id)[0][0]  # type: ignore[no-any-return]


# Clean up


def test_old_tasks_go_with_all_that_hangs_on_them_and_their_audit_stays(world: World) -> None:
    old, young, unfinished = ran(world, "plain_task"), ran(world, "plain_task"), started(world, "plain_task")
    world.bell.rings.clear()
    FAULTS.append("not today")
    failed = ran(world, "plain_task")
    kept = ran(world, "modify_note", {"subscription_id": str(world.subscription())}, {"note": "hello"})
    age(world, old, unfinished, failed, kept)

    task = ran(world, "task_clean_up_tasks")
    assert status(world, old) is None
    assert [status(world, one) for one in (young, unfinished, failed, kept)] == [
        "completed",
        "created",
        "failed",
        "completed",
    ]
    assert state(world, task)["deleted_processes"] == 1
    for table in ("process_steps", "process_starts", "process_inputs", "process_subscriptions"):
        assert world.query(f"SELECT count(*) FROM {table} WHERE process_seq NOT IN (SELECT seq FROM processes)") == [
            (0,)
        ]
    assert world.query("SELECT action FROM audit WHERE process_id = :id", id=old) == [("start",)]
    assert world.query("SELECT process_id, before FROM audit WHERE action = 'clean up'") == [
        (task, {"deleted": [str(old)]})
    ]
    assert world.query("SELECT after FROM subscription_changes WHERE path = 'note'") == [("hello",)]


def test_the_history_of_a_subscription_survives_its_process(world: World) -> None:
    note = ran(world, "modify_note", {"subscription_id": str(world.subscription())}, {"note": "hello"})
    age(world, note)
    settings = world.context.settings.model_copy(update={"retention_days": {"MODIFY": 30.0}})

    clean_up(replace(world.context, settings=settings), CLEANER, uuid4())
    assert status(world, note) is None
    assert world.query("SELECT process_id, after FROM subscription_changes WHERE path = 'note'") == [(note, "hello")]


def test_families_go_from_the_children_up_and_only_when_all_have_ended(world: World) -> None:
    parent, child, grandchild = (ran(world, "plain_task") for _ in range(3))
    waits, done = ran(world, "plain_task"), ran(world, "plain_task")
    seq = dict(world.query("SELECT process_id, seq FROM processes"))
    for one, of in ((child, parent), (grandchild, child), (done, waits)):
        world.query("UPDATE processes SET parent_seq = :of WHERE process_id = :id", of=seq[of], id=one)
    world.query("UPDATE processes SET status = 'waiting' WHERE process_id = :id", id=waits)
    age(world, parent, child, grandchild, waits, done)

    assert clean_up(world.context, CLEANER, uuid4(), batch=1).processes == 3
    assert [status(world, one) for one in (parent, child, grandchild)] == [None, None, None]
    assert [status(world, one) for one in (waits, done)] == ["waiting", "completed"]

    young = ran(world, "plain_task")
    world.query("UPDATE processes SET parent_seq = :of WHERE process_id = :id", of=seq[waits], id=young)
    world.query("UPDATE processes SET status = 'aborted' WHERE process_id = :id", id=waits)
    age(world, waits)
    assert clean_up(world.context, CLEANER, uuid4()).processes == 1
    assert [status(world, one) for one in (waits, done, young)] == ["aborted", None, "completed"], "its child is young"


def test_a_process_that_left_its_subscription_out_of_sync_stays(world: World) -> None:
    subscription_id = world.subscription()
    FAULTS.append("not today")
    process_id = started(world, "validate_port", {"subscription_id": str(subscription_id)})
    world.run()
    abort_process(world.context, OPERATOR, process_id)
    world.query("UPDATE subscriptions SET insync = false, held_by = :id", id=process_id)
    age(world, process_id)
    assert clean_up(world.context, CLEANER, uuid4()).processes == 0

    world.query("UPDATE subscriptions SET insync = true, held_by = NULL")
    assert clean_up(world.context, CLEANER, uuid4()).processes == 1


def test_two_who_clean_up_at_once_and_one_that_is_stopped_delete_each_once(world: World) -> None:
    old = [ran(world, "plain_task") for _ in range(30)]
    age(world, *old)
    at_once = threading.Barrier(2)

    def clean(_: int) -> int:
        at_once.wait()
        return clean_up(world.context, CLEANER, uuid4(), batch=4).processes

    with ThreadPoolExecutor(2) as cleaners:
        assert sum(cleaners.map(clean, range(2))) == 30
    assert world.query("SELECT count(*) FROM processes") == [(0,)]
    told = world.query("SELECT before FROM audit WHERE action = 'clean up'")
    assert sorted(one for (before,) in told for one in before["deleted"]) == sorted(map(str, old))


def test_old_runs_of_schedules_go_but_not_the_last_nor_those_that_wait_or_are_under_way(world: World) -> None:
    busy, done = started(world, "plain_task"), uuid4()
    world.bell.rings.clear()
    ((schedule_id,),) = world.query("SELECT schedule_id FROM schedules WHERE workflow_name = 'task_clean_up_tasks'")
    for days, outcome, process_id in (
        (90, "started", busy),
        (85, "queued", None),
        (80, "started", done),
        (70, "started", done),
        (1, "started", done),
    ):
        world.query(
            "INSERT INTO schedule_runs (schedule_id, due_at, outcome, process_id) "
            "VALUES (:id, now() - :days * interval '1 day', :outcome, :process)",
            id=schedule_id,
            days=days,
            outcome=outcome,
            process=process_id,
        )
    assert clean_up(world.context, CLEANER, uuid4()).schedule_runs == 2
    left = world.query("SELECT outcome, process_id FROM schedule_runs ORDER BY due_at")
    assert left == [("started", busy), ("queued", None), ("started", done)]
    world.query("UPDATE schedule_runs SET due_at = due_at - interval '60 days'")
    assert clean_up(world.context, CLEANER, uuid4()).schedule_runs == 0


# Validate


@pytest.mark.parametrize("target", ["VALIDATE", "SYSTEM"])
def test_every_active_subscription_in_sync_is_validated_once(world: World, target: str) -> None:
    """Also where the database says SYSTEM of what the code calls a validate workflow."""
    world.query("UPDATE workflows SET target = :target WHERE name = 'validate_port'", target=target)
    wanted = [world.subscription() for _ in range(5)]
    world.subscription(insync=False)
    world.subscription(SubscriptionLifecycle.TERMINATED)
    task = started(world, "task_validate_subscriptions")
    world.run()

    assert status(world, task) == "completed"
    assert state(world, task)["validations_started"] == 5
    validated = world.query(
        "SELECT s.subscription_id, p.status, p.created_by FROM process_subscriptions s JOIN processes p ON p.seq = "
        "s.process_seq JOIN workflows w USING (workflow_id) WHERE w.name = 'validate_port' ORDER BY p.seq"
    )
    assert validated == [(one, "completed", "operator") for one in wanted]


def test_begun_again_it_starts_nothing_twice(world: World) -> None:
    for _ in range(3):
        world.subscription()
    task = uuid4()
    assert start_validations(world.context, OPERATOR, task).started == 3
    world.run()
    assert start_validations(world.context, OPERATOR, task).started == 3, "found again"
    assert world.query("SELECT count(*) FROM processes") == [(3,)]
    assert start_validations(world.context, OPERATOR, uuid4()).started == 3, "the next night"
    assert world.query("SELECT count(*) FROM processes") == [(6,)]
    assert start_validations(world.context, OPERATOR, uuid4()).started == 0, "they are under way"


def test_what_may_not_be_validated_is_counted_by_its_reason(world: World) -> None:
    world.subscription()
    workflows = world.context.catalog._workflows
    workflows["validate_port"] = replace(
        workflows["validate_port"], run_predicate=lambda _: RunPredicateFail("not on Sundays")
    )
    found = start_validations(world.context, OPERATOR, uuid4())
    assert (found.started, found.refused) == (0, {"validate_port: not on Sundays": 1})

    def breaks(_: PredicateContext) -> RunPredicatePass:
        raise ZeroDivisionError

    workflows["validate_port"] = replace(workflows["validate_port"], run_predicate=breaks)
    found = start_validations(world.context, OPERATOR, uuid4())
    assert found.refused == {
        f"validate_port: the run predicate {name_of_function(breaks)} of validate_port failed with ZeroDivisionError": 1
    }


def test_while_the_engine_is_paused_it_waits_and_then_goes_on(world: World) -> None:
    for _ in range(3):
        world.subscription()
    task = started(world, "task_validate_subscriptions")
    runner = world.runner
    while (ring := world.bell.rings.pop(0)) and world.query("SELECT step_key FROM processes") != [("validate_all",)]:
        report = runner.run(ring.seq)
        assert report is not None
        assert report.ring is not None
        world.bell.rings.append(report.ring)
    # Paused between the claim of the step and its starts.
    workflows = world.context.catalog._workflows
    validate = workflows["validate_port"]

    def pauses(_: PredicateContext) -> RunPredicatePass:
        with world.context.database.engine.begin() as connection:
            connection.execute(text("UPDATE engine_settings SET paused = true"))
        return RunPredicatePass()

    workflows["validate_port"] = replace(validate, run_predicate=pauses)
    runner.run(ring.seq)
    workflows["validate_port"] = validate
    assert status(world, task) == "waiting"

    world.query("UPDATE engine_settings SET paused = false")
    world.query("UPDATE processes SET status = 'resumed', due_at = NULL, waiting_for = NULL WHERE status = 'waiting'")
    world.bell.rings.append(ring)
    world.run()
    assert (status(world, task), state(world, task)["validations_started"]) == ("completed", 2), "one is under way"
    assert world.query("SELECT count(*) FROM processes") == [(4,)]


def test_those_of_one_product_type_are_validated(world: World) -> None:
    world.subscription()
    with pytest.raises(FormInvalidError, match="the types are Port"):
        started(world, "task_validate_product_type", {"product_type": "Node"})
    task = ran(world, "task_validate_product_type", {"product_type": "Port"})
    assert state(world, task)["validations_started"] == 1


def test_differences_of_the_catalog_are_inconsistent_data(world: World) -> None:
    world.query("DELETE FROM workflows WHERE name = 'has_no_code'")
    world.query("UPDATE workflows SET target = 'SYSTEM' WHERE name = 'validate_port'")
    told = ran(world, "task_validate_products")
    ((failed_reason,),) = world.query("SELECT failed_reason FROM processes WHERE process_id = :id", id=told)
    assert status(world, told) == "inconsistent_data"
    assert "workflow plain_task: Description is" in failed_reason

    for one in world.context.catalog.workflows.values():
        world.query("UPDATE workflows SET description = :said WHERE name = :name", said=one.description, name=one.name)
    assert status(world, ran(world, "task_validate_products")) == "completed"


# The note


def test_a_note_is_set_also_while_another_process_holds_the_subscription(world: World) -> None:
    subscription_id = str(world.subscription())
    holder = ran(world, "modify_port", {"subscription_id": subscription_id})
    assert status(world, holder) == "suspended"
    ((version,),) = world.query("SELECT version FROM subscriptions")
    note = ran(world, "modify_note", {"subscription_id": subscription_id}, {"note": "call them first"})

    assert status(world, note) == "completed"
    assert world.query("SELECT note, insync, version FROM subscriptions") == [("call them first", False, version)]
    assert world.query("SELECT before, after, step_key, process_id FROM subscription_changes WHERE path = 'note'") == [
        (None, "call them first", "store_note", note)
    ]
    ran(world, "modify_note", {"subscription_id": subscription_id}, {"note": None})
    assert world.query("SELECT note FROM subscriptions") == [(None,)]
    with pytest.raises(FormInvalidError, match="5000"):
        started(world, "modify_note", {"subscription_id": subscription_id}, {"note": "x" * 5001})


# What they have in common


def test_every_built_in_workflow_has_its_row_and_every_product_the_note(world: World) -> None:
    rows = dict(world.query("SELECT name, description FROM workflows"))
    assert {one.name: rows.get(one.name) for one in BUILTIN} == {one.name: one.description for one in BUILTIN}
    linked = world.query(
        "SELECT p.name FROM products p JOIN products_workflows USING (product_id) JOIN workflows w USING (workflow_id) "
        "WHERE w.name = 'modify_note'"
    )
    assert linked == [("Port",)]
    assert world.query("SELECT workflow_name, every, cron FROM schedules ORDER BY workflow_name") == [
        ("task_clean_up_tasks", 21_600.0, None),
        ("task_validate_products", None, "30 2 * * *"),
        ("task_validate_subscriptions", None, "10 0 * * *"),
    ]
    assert world.query(
        "SELECT count(*) FROM schedules WHERE run_at <= now() OR run_at > now() + interval '27 hours'"
    ) == [(0,)]


def test_a_package_may_have_a_workflow_of_the_same_name(world: World) -> None:
    own = replace(BUILTIN[0], description="Our own")
    catalog = type(world.context.catalog)()
    catalog.add_workflow(own)
    register_builtin(catalog)
    assert catalog.workflow(own.name).description == "Our own"
    assert len(catalog.workflows) == len(BUILTIN)


def test_outside_of_a_worker_their_steps_say_so() -> None:
    context_in_force.use(None)
    use_products({})
    with pytest.raises(NoContextError, match="in workers"):
        context_in_force.get()


# Predicates


@pytest.mark.parametrize(("predicate", "while_failed"), [(no_uncompleted_instance, False), (no_running_instance, True)])
def test_predicates_look_at_other_processes_of_the_workflow(
    world: World, predicate: RunPredicate, while_failed: bool
) -> None:
    workflows = world.context.catalog._workflows
    workflows["plain_task"] = replace(workflows["plain_task"], run_predicate=predicate)

    def may_start() -> bool:
        try:
            started(world, "plain_task")
        except PredicateFailedError:
            return False
        return True

    FAULTS.append("not today")
    failed = ran(world, "plain_task")
    assert may_start() is while_failed
    world.run()
    abort_process(world.context, OPERATOR, failed)
    assert may_start()
    assert not may_start()
    world.run()
    assert may_start()


def test_the_predicate_on_callbacks(world: World) -> None:
    asked = PredicateContext(world.context.catalog.workflow("plain_task"), "plain_task")
    with world.context.database.reading():
        assert isinstance(awaiting_callbacks_exist(asked), RunPredicateFail)
    started(world, "plain_task")
    world.query("UPDATE processes SET status = 'awaiting_callback'")
    with world.context.database.reading():
        assert isinstance(awaiting_callbacks_exist(asked), RunPredicatePass)
