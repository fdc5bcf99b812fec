"""Starting processes: forms, checks, idempotency keys, and what is written."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from orchestrator.errors import (
    EnginePausedError,
    ForbiddenError,
    FormIncompleteError,
    FormInvalidError,
    FormOverflowError,
    IdempotencyKeyError,
    MalformedPagesError,
    PredicateFailedError,
    ProductNotFoundError,
    UnknownWorkflowError,
    UnstorableInputError,
)
from orchestrator.language.catalog import Catalog
from orchestrator.language.vocabulary import Actor, SubscriptionLifecycle
from orchestrator.services.context import Context
from orchestrator.services.processes import abort_process, start_process
from orchestrator.services.subscriptions import WF_USABLE_MAP
from orchestrator.storage.database import Database
from orchestrator.storage.session import db
from tests.integration.process_world import ASKED, OPERATOR, World, plain_task, process_world, unknown_id
from tests.integration.statements import StatementsSeen

NAME = {"name": "port 1", "size": 3}
SURE = {"sure": True}


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


def next_page(world: World, workflow: str, pages: Any) -> FormIncompleteError:
    with pytest.raises(FormIncompleteError) as raised:
        start_process(world.context, OPERATOR, workflow, pages)
    return raised.value


def refused(world: World, workflow: str, pages: Any) -> list[dict[str, Any]]:
    with pytest.raises(FormInvalidError) as raised:
        start_process(world.context, OPERATOR, workflow, pages)
    errors: Any = raised.value.members["validation_errors"]
    return list(errors)


def count(world: World) -> int:
    return int(world.query("SELECT count(*) FROM processes")[0][0])


def test_a_create_workflow_asks_page_by_page_and_then_starts(world: World) -> None:
    product = {"product": str(world.product_id)}
    first = next_page(world, "create_port", None)
    assert first.members["meta"] == {"hasNext": True}
    field = first.members["form"]["properties"]["product"]
    assert (field["type"], field["format"]) == ("string", "productId")
    assert field["extraProperties"] == {"productIds": [str(world.product_id)]}
    second = next_page(world, "create_port", [product])
    assert second.members["form"]["properties"]["name"]["minLength"] == 2
    third = next_page(world, "create_port", [product, NAME])
    assert third.members["meta"] == {"hasNext": False}
    assert count(world) == 0

    started = start_process(world.context, OPERATOR, "create_port", [product, NAME, SURE], request_id="r1")
    row = world.query("SELECT seq, process_id, status, target, is_task, step_key, created_by, state FROM processes")[0]
    assert row[1:7] == (started.process_id, "created", "CREATE", False, "start", "operator")
    assert row[7] == {
        "product": str(world.product_id),
        "product_name": "Port",
        "product_said": "Port",
        **NAME,
        **SURE,
        "process_id": str(started.process_id),
        "reporter": "operator",
        "workflow_name": "create_port",
        "workflow_target": "CREATE",
    }
    ring = world.bell.rings[0]
    assert (ring.seq, ring.process_id, ring.workflow, ring.step_key, ring.target, ring.is_task) == (
        row[0],
        started.process_id,
        "create_port",
        "start",
        "CREATE",
        False,
    )
    assert world.query("SELECT step_key, pages, created_by FROM process_inputs") == [
        (None, [product, NAME, SURE], "operator")
    ]
    assert world.query("SELECT actor, action, object_id, request_id FROM audit") == [
        ("operator", "start", str(started.process_id), "r1")
    ]
    world.run()
    assert world.query("SELECT status FROM processes") == [("completed",)]
    assert world.query("SELECT status, description FROM subscriptions") == [("active", "port 1")]


def test_one_version_of_a_workflow_is_stored_once(world: World) -> None:
    for _ in range(2):
        start_process(world.context, OPERATOR, "plain_task", [])
    versions = world.query("SELECT workflow_name, steps FROM workflow_versions")
    assert len(versions) == 1
    assert versions[0][1][1] == {"key": "may_fail", "name": "Fails while told to", "kind": "call", "assignee": "SYSTEM"}


@pytest.mark.parametrize("pages", [None, [], [{}]])
def test_a_workflow_without_a_form_needs_no_page(world: World, pages: Any) -> None:
    start_process(world.context, OPERATOR, "plain_task", pages)
    world.run()
    assert world.query("SELECT status, is_task, target FROM processes") == [("completed", True, "SYSTEM")]


def test_pages_that_do_not_fit_are_refused_with_a_place_and_a_sentence(world: World) -> None:
    product = {"product": str(world.product_id)}
    misspelt = refused(world, "create_port", [{"product": "Prot"}])[0]
    assert misspelt["loc"] == ["product"]
    assert misspelt["msg"] == f"'Prot' is no id of a product; create_port creates Port ({world.product_id})"
    assert refused(world, "create_port", [{"product": 17}])[0]["msg"].startswith("'17' is no id")
    with pytest.raises(ProductNotFoundError, match="there is no product"):
        start_process(world.context, OPERATOR, "create_port", [{"product": str(unknown_id())}])
    world.query("UPDATE products SET status = 'end of life'")
    ended = refused(world, "create_port", [product])[0]
    assert "creates no subscriptions" in ended["msg"]
    assert "no product that lives has the workflow create_port" in ended["msg"]
    world.query("UPDATE products SET status = 'active'")
    short = refused(world, "create_port", [product, {"name": "p", "more": 1}])
    assert [(error["type"], error["loc"]) for error in short] == [
        ("string_too_short", ["name"]),
        ("extra_forbidden", ["more"]),
    ]
    unsure = refused(world, "create_port", [product, NAME, {"sure": False}])[0]
    assert (unsure["loc"], unsure["msg"]) == (["__root__"], "Be sure first")
    assert refused(world, "plain_task", [{"what": 1}])[0]["loc"] == ["what"]
    assert refused(world, "create_port", [{"self": 1}])[0]["loc"] == ["self"]
    with pytest.raises(FormOverflowError, match="4 pages"):
        start_process(world.context, OPERATOR, "create_port", [product, NAME, SURE, {}])
    with pytest.raises(FormOverflowError, match="2 pages"):
        start_process(world.context, OPERATOR, "plain_task", [{}, {}])
    for body in ({}, "text", 3, [1], [[]], [None]):
        with pytest.raises(MalformedPagesError):
            start_process(world.context, OPERATOR, "create_port", body)
    assert count(world) == 0


def test_what_cannot_be_stored_is_refused_by_name(world: World) -> None:
    with pytest.raises(UnstorableInputError, match="numbers"):
        start_process(world.context, OPERATOR, "unstorable_task", [NAME])
    with pytest.raises(UnstorableInputError, match=r"pages\[0\].name.*NUL"):
        start_process(world.context, OPERATOR, "ends_with_input", [{"name": "a\x00b"}])
    small = replace(world.context, settings=world.context.settings.model_copy(update={"max_delta_bytes": 1000}))
    with pytest.raises(UnstorableInputError, match="1000 bytes"):
        start_process(small, OPERATOR, "ends_with_input", [{"name": "a" * 2000}])


def test_the_form_cannot_replace_what_the_engine_says(world: World) -> None:
    started = start_process(world.context, OPERATOR, "ends_with_input", [NAME], reporter="eve")
    state = world.query("SELECT state FROM processes")[0][0]
    assert state["answer"] == "port 1"
    assert (state["process_id"], state["reporter"]) == (str(started.process_id), "eve")
    assert world.query("SELECT created_by FROM processes") == [("eve",)]
    assert world.query("SELECT actor, after->>'created_by' FROM audit") == [("operator", "eve")]


def test_a_workflow_on_a_subscription_asks_for_it_and_its_version(world: World) -> None:
    subscription_id = world.subscription()
    first = next_page(world, "modify_port", [])
    assert set(first.members["form"]["properties"]) == {"subscription_id", "version"}
    stale = refused(world, "modify_port", [{"subscription_id": str(subscription_id), "version": 7}])[0]
    assert stale["loc"] == ["version"]
    assert stale["msg"] == "Stale data: given version (7) does not match the current version (1)"
    assert "no subscription" in refused(world, "modify_port", [{"subscription_id": str(unknown_id())}])[0]["msg"]

    start_process(world.context, OPERATOR, "modify_port", [{"subscription_id": str(subscription_id), "version": 1}])
    state = world.query("SELECT state FROM processes")[0][0]
    assert {key: state[key] for key in ("subscription_id", "product", "customer_id", "version")} == {
        "subscription_id": str(subscription_id),
        "product": str(world.product_id),
        "customer_id": "customer-1",
        "version": 1,
    }
    assert world.query("SELECT subscription_id FROM process_subscriptions") == [(subscription_id,)]


def test_the_process_that_works_on_a_subscription_is_named(world: World) -> None:
    subscription_id = world.subscription()
    chosen = {"subscription_id": str(subscription_id)}
    process_id = start_process(world.context, OPERATOR, "modify_port", [chosen]).process_id
    world.run()
    blocked = refused(world, "terminate_port", [chosen])[0]
    assert blocked["msg"] == (
        f"The subscription is not in sync: process {process_id} (modify_port, suspended) works on it "
        "(subscription.not_in_sync)"
    )
    holder = {"process_id": str(process_id), "workflow_name": "modify_port", "status": "suspended"}
    assert (blocked["ctx"]["reason"], blocked["ctx"]["held_by"]) == ("subscription.not_in_sync", holder)
    abort_process(world.context, OPERATOR, process_id)
    assert (
        f"process {process_id} (modify_port, aborted) left it unfinished"
        in (refused(world, "terminate_port", [chosen])[0]["msg"])
    )
    # And one that nobody holds.
    free = {"subscription_id": str(world.subscription(insync=False))}
    blocked = refused(world, "terminate_port", [free])[0]
    assert "no process holds it" in blocked["msg"]
    assert "held_by" not in blocked["ctx"]


def test_a_blocked_workflow_says_why_and_the_target_of_the_row_wins(world: World) -> None:
    out_of_sync = {"subscription_id": str(world.subscription(insync=False))}
    blocked = refused(world, "modify_port", [out_of_sync])[0]
    assert "not in sync" in blocked["msg"]
    assert "subscription.not_in_sync" in blocked["msg"]
    # Made by validate_workflow, but SYSTEM in its row: it counts as a task, which may run out of sync.
    start_process(world.context, OPERATOR, "validate_port", [out_of_sync])
    assert world.query("SELECT target, is_task, state->>'workflow_target' FROM processes") == [
        ("SYSTEM", True, "SYSTEM")
    ]
    initial = {"subscription_id": str(world.subscription(SubscriptionLifecycle.INITIAL))}
    assert "no_modify_invalid_status" in refused(world, "modify_port", [initial])[0]["msg"]
    WF_USABLE_MAP["modify_port"] = ["initial"]
    try:
        start_process(world.context, OPERATOR, "modify_port", [initial])
    finally:
        del WF_USABLE_MAP["modify_port"]


def test_a_workflow_of_another_product_is_refused(world: World) -> None:
    subscription_id = world.subscription()
    world.query(
        "DELETE FROM products_workflows WHERE workflow_id IN (SELECT workflow_id FROM workflows "
        "WHERE name = 'modify_port')"
    )
    found = refused(world, "modify_port", [{"subscription_id": str(subscription_id)}])[0]
    assert "no workflow of the product" in found["msg"]


def test_unknown_deleted_and_undeployed_workflows_are_not_found(world: World) -> None:
    for name in ("nothing", "has_no_code", "a\x00b"):
        with pytest.raises(UnknownWorkflowError, match="workflow"):
            start_process(world.context, OPERATOR, name, [])
    world.query("UPDATE workflows SET deleted_at = now() WHERE name = 'plain_task'")
    with pytest.raises(UnknownWorkflowError):
        start_process(world.context, OPERATOR, "plain_task", [])


def test_authorizers_predicates_and_a_pause_keep_a_workflow_from_starting(world: World) -> None:
    with pytest.raises(ForbiddenError, match="operator may not start guarded_task"):
        start_process(world.context, OPERATOR, "guarded_task", [], reporter="alice")
    start_process(world.context, Actor("alice"), "guarded_task", [])
    assert [(asked.user.name, asked.action, asked.step) for asked in ASKED] == [
        ("operator", "start_workflow", None),
        ("alice", "start_workflow", None),
    ]
    with pytest.raises(PredicateFailedError, match="1 processes run"):
        start_process(world.context, OPERATOR, "lonely_task", [])
    world.query("UPDATE engine_settings SET paused = true, reason = 'maintenance'")
    with pytest.raises(EnginePausedError, match="maintenance"):
        start_process(world.context, OPERATOR, "plain_task", [])
    assert count(world) == 1


def test_who_may_not_start_a_workflow_may_not_after_somebody_else_did_either(world: World) -> None:
    start_process(world.context, Actor("alice"), "guarded_task")
    with pytest.raises(ForbiddenError):
        start_process(world.context, OPERATOR, "guarded_task")
    world.query("UPDATE processes SET status = 'completed'")
    start_process(world.context, OPERATOR, "lonely_task")
    with pytest.raises(PredicateFailedError):
        start_process(world.context, OPERATOR, "lonely_task")
    start_process(world.context, OPERATOR, "ends_with_input", [NAME])
    next_page(world, "ends_with_input", None)
    assert count(world) == 3


def keyed(context: Context, key: str, workflow: str = "plain_task", pages: Any = None, actor: Actor = OPERATOR) -> UUID:
    return start_process(context, actor, workflow, pages, idempotency_key=key).process_id


def test_the_same_key_gets_the_same_answer_and_one_process(world: World) -> None:
    first = keyed(world.context, "k1")
    assert keyed(world.context, "k1", pages=[]) == first
    assert len(world.bell.rings) == 1
    assert keyed(world.context, "k2") != first
    assert keyed(world.context, "k1", actor=Actor("eve")) != first
    for workflow, pages in (("plain_task", [{}]), ("validate_port", [])):
        with pytest.raises(IdempotencyKeyError, match="another request"):
            keyed(world.context, "k1", workflow, pages)
    for key in ("", "k" * 256):
        with pytest.raises(IdempotencyKeyError):
            keyed(world.context, key)
    world.query("UPDATE idempotency_keys SET expires_at = now() - interval '1 second' WHERE actor = 'operator'")
    assert keyed(world.context, "k1", pages=[{}]) != first


def test_keys_that_expired_are_forgotten(world: World) -> None:
    for number in range(3):
        keyed(world.context, f"key {number}")
    world.query("UPDATE idempotency_keys SET expires_at = now() - interval '1 second'")
    keyed(world.context, "new")
    assert world.query("SELECT key FROM idempotency_keys") == [("new",)]


def test_the_same_key_many_times_at_once_starts_one_process(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = set(pool.map(lambda _: keyed(world.context, "k1"), range(16)))
    assert len(ids) == 1
    assert count(world) == 1
    assert world.query("SELECT count(*) FROM audit") == [(1,)]


def test_a_known_key_is_answered_although_the_request_would_be_refused_by_now(world: World) -> None:
    page = [{"subscription_id": str(world.subscription())}]
    first = keyed(world.context, "k1", "modify_port", page)
    world.run()
    assert world.query("SELECT insync FROM subscriptions") == [(False,)]
    assert keyed(world.context, "k1", "modify_port", page) == first


def test_nothing_is_written_when_a_part_of_the_start_fails(world: World) -> None:
    world.query("ALTER TABLE audit ADD CONSTRAINT no_start CHECK (action <> 'start')")
    with pytest.raises(Exception, match="no_start"):
        keyed(world.context, "k1")
    assert count(world) == 0
    assert world.query("SELECT count(*) FROM idempotency_keys") == [(0,)]
    assert world.bell.rings == []


WRITTEN = ("processes", "process_starts", "process_inputs", "audit")


def test_the_first_start_of_a_task_is_two_statements_and_each_a_transaction_of_its_own(world: World) -> None:
    with StatementsSeen(world.context.database) as seen:
        start_process(world.context, OPERATOR, "plain_task", [{}], request_id="r1")
    assert [statement.split()[0] for statement in seen.statements] == ["SELECT", "WITH"], seen.statements
    for table in WRITTEN:
        assert f"INSERT INTO {table} " in seen.statements[1], table


def test_a_further_start_of_a_task_is_one_statement_and_writes_the_same(world: World) -> None:
    start_process(world.context, OPERATOR, "plain_task", [{}], request_id="r1")
    with StatementsSeen(world.context.database) as seen:
        started = start_process(world.context, OPERATOR, "plain_task", [{}], request_id="r1")
    (statement,) = seen.statements
    for table in WRITTEN:
        assert f"INSERT INTO {table} " in statement, table
    for table, left_out in (
        ("processes", "{seq,process_id,started_at,last_modified_at,rung_at,limit_since}"),
        ("process_starts", "{start_id,process_seq,created_at}"),
        ("process_inputs", "{input_id,process_seq,created_at}"),
        ("audit", "{audit_id,at,object_id,process_id}"),
    ):
        shown = "(to_jsonb(t) #- CAST('{state,process_id}' AS text[])) - CAST(:left_out AS text[])"
        one, other = world.query(f"SELECT {shown} FROM {table} t", left_out=left_out)
        assert one == other, table
    before, ring = world.bell.rings
    assert ring == replace(before, seq=ring.seq, process_id=started.process_id)
    world.run()
    assert world.query("SELECT DISTINCT status FROM processes") == [("completed",)]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ("UPDATE engine_settings SET paused = true, reason = 'maintenance'", EnginePausedError),
        ("UPDATE workflows SET deleted_at = now() WHERE name = 'plain_task'", UnknownWorkflowError),
        ("UPDATE workflows SET name = 'another' WHERE name = 'plain_task'", UnknownWorkflowError),
        ("UPDATE workflows SET target = 'MODIFY' WHERE name = 'plain_task'", FormIncompleteError),
        (
            "INSERT INTO products_workflows (product_id, workflow_id) SELECT product_id, workflow_id "
            "FROM products CROSS JOIN workflows WHERE workflows.name = 'plain_task'",
            FormIncompleteError,
        ),
    ],
)
def test_what_changed_since_an_earlier_start_is_seen_by_the_next(
    world: World, change: str, error: type[Exception]
) -> None:
    start_process(world.context, OPERATOR, "plain_task")
    world.query(change)
    for _ in range(2):
        with pytest.raises(error):
            start_process(world.context, OPERATOR, "plain_task")
    assert count(world) == 1
    assert len(world.bell.rings) == 1


def test_a_workflow_that_was_made_anew_since_an_earlier_start_is_the_one_that_is_started(world: World) -> None:
    start_process(world.context, OPERATOR, "plain_task")
    world.query("UPDATE workflows SET deleted_at = now(), name = 'plain_task of before' WHERE name = 'plain_task'")
    world.query(
        "INSERT INTO workflows (workflow_id, name, description, target) VALUES (:id, 'plain_task', 'new', 'SYSTEM')",
        id=unknown_id(),
    )
    for _ in range(2):
        start_process(world.context, OPERATOR, "plain_task")
    found = world.query("SELECT w.description FROM processes p JOIN workflows w USING (workflow_id) ORDER BY p.seq")
    assert [description for (description,) in found] == ["plain_task", "new", "new"]


def test_a_paused_engine_is_told_of_before_what_is_wrong_with_the_pages(world: World) -> None:
    start_process(world.context, OPERATOR, "plain_task")
    world.query("UPDATE engine_settings SET paused = true, reason = 'maintenance'")
    with pytest.raises(EnginePausedError, match="maintenance"):
        start_process(world.context, OPERATOR, "plain_task", [{"what": 1}])
    world.query("UPDATE engine_settings SET paused = false")
    with pytest.raises(FormInvalidError):
        start_process(world.context, OPERATOR, "plain_task", [{"what": 1}])
    start_process(world.context, OPERATOR, "plain_task")
    assert count(world) == 2


def test_a_version_that_was_removed_since_an_earlier_start_is_pinned_anew(world: World) -> None:
    start_process(world.context, OPERATOR, "plain_task")
    world.query("DELETE FROM processes")
    world.query("DELETE FROM workflow_versions")
    start_process(world.context, OPERATOR, "plain_task")
    assert world.query("SELECT workflow_name FROM workflow_versions") == [("plain_task",)]


def test_a_start_with_an_idempotency_key_is_one_transaction(world: World) -> None:
    start_process(world.context, OPERATOR, "plain_task", idempotency_key="first")
    with StatementsSeen(world.context.database) as seen:
        start_process(world.context, OPERATOR, "plain_task", idempotency_key="second")
    words = [statement.split()[0] for statement in seen.statements]
    # The answer of before, the workflow, and in one transaction what has expired, the key and the process.
    assert words == [*("BEGIN", "SELECT", "COMMIT"), "SELECT", *("BEGIN", "DELETE", "INSERT", "WITH", "COMMIT")]


def test_what_authors_set_while_a_start_asks_them_is_nobody_elses(world: World) -> None:
    def sets(_: object) -> None:
        db.session.execute(text("SET work_mem = '77MB'"))

    catalog = Catalog()
    catalog.add_workflow(replace(plain_task, run_predicate=sets))
    start_process(replace(world.context, catalog=catalog), OPERATOR, "plain_task")
    assert count(world) == 1
    assert world.query("SHOW work_mem") != [("77MB",)]
