"""Processes that start others and wait for them. No word of the authors' leads there yet: the step is made by hand."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from sqlalchemy import text

from orchestrator.engine.sweep import Sweep
from orchestrator.language.actions import Children
from orchestrator.language.outcomes import Child
from orchestrator.language.step_list import Step
from orchestrator.language.steps import begin, init, step
from orchestrator.language.vocabulary import State
from orchestrator.language.workflow_definition import Workflow
from orchestrator.language.workflows import task, workflow
from orchestrator.storage.session import db
from orchestrator.storage.step_statements import LOCK_PROCESS
from tests.integration.engine.engine_on_test import LARGE, EngineOnTest

FAULTS: set[str] = set()


@step("Work on the branch")
def work(number: int = -1) -> State:
    if str(number) in FAULTS:
        raise RuntimeError("not yet")
    db.session.execute(text("INSERT INTO ledger (entry) VALUES (:entry)"), {"entry": f"branch {number}"})
    return {"done": number}


@task("A branch")
def branch() -> Any:
    return begin >> work


@step("Afterwards")
def afterwards() -> State:
    return {"after": True}


def a_parent(children: Callable[[State], Any]) -> Workflow:
    """A workflow that starts these and waits for them."""

    def parent() -> Any:
        return init >> Step("Branches", "branches", Children(children)) >> afterwards

    return workflow("Starts others")(parent)


def numbered(state: State) -> list[Child]:
    return [Child(f"number {number}", "branch", {"number": number}) for number in range(state["many"])]


@pytest.fixture
def family(engine: EngineOnTest) -> EngineOnTest:
    FAULTS.clear()
    engine.catalog.add_workflow(branch)
    engine.query("INSERT INTO workflows (workflow_id, name, target) VALUES (gen_random_uuid(), 'branch', 'SYSTEM')")
    return engine


def children_of(engine: EngineOnTest, seq: int) -> list[int]:
    """The children of a process, in the order of their branches."""
    rows = engine.query("SELECT seq FROM processes WHERE parent_seq = %(seq)s ORDER BY parent_branch, seq", seq=seq)
    return [row[0] for row in rows]


def waiting(engine: EngineOnTest, many: int = 2) -> tuple[int, list[int]]:
    """A parent that waits for so many children, and these."""
    seq = engine.start(a_parent(numbered), {"many": many})
    engine.run(seq)
    return seq, children_of(engine, seq)


def large_numbered(state: State) -> list[Child]:
    return [Child(child.branch, child.workflow, {**child.state, "large": LARGE}) for child in numbered(state)]


def sweep(engine: EngineOnTest) -> list[int]:
    """What a clock that has just been started rings for."""
    clock, found = Sweep(engine.url), list[int]()
    while not clock.leads:  # the server may still be busy with the end of the one before
        found = [ring.seq for ring in clock.find(dict)]
    clock.close()
    return found


def test_children_that_end_with_a_large_state_drop_it_and_the_parent_goes_on(family: EngineOnTest) -> None:
    seq = family.start(a_parent(large_numbered), {"many": 2})
    family.run(seq)
    for child in children_of(family, seq):
        family.run(child)
        assert (family.process(child).status, family.process(child).state) == ("completed", None)
    family.run(seq)
    assert (family.process(seq).status, family.process(seq).state) == ("completed", {"many": 2, "after": True})


def test_children_are_started_with_the_record_and_the_last_that_ends_rings_for_the_parent(
    family: EngineOnTest, ledger: Callable[[], list[str]]
) -> None:
    seq = family.start(a_parent(numbered), {"many": 2})
    reports = family.run(seq)
    left, right = children_of(family, seq)
    assert [(ring.seq, ring.workflow, ring.step_key, ring.is_task) for ring in reports[-1].rings] == [
        (left, "branch", "start", True),
        (right, "branch", "start", True),
    ]
    parent = family.process(seq)
    assert (parent.status, parent.waiting_for, parent.position, parent.due_at) == ("waiting", "children", 1, None)
    child = family.process(left)
    assert (child.status, child.created_by, child.parent_seq, child.parent_position) == ("created", "tester", seq, 1)
    assert (child.parent_generation, child.parent_branch, child.state["number"]) == (1, "number 0", 0)
    assert family.query("SELECT cause, position FROM process_starts WHERE process_seq = %(seq)s", seq=left) == [
        ("start", 0)
    ]
    assert sweep(family) == []

    assert [report.others for report in family.run(left)] == [(), (), ()]
    assert family.process(seq).status == "waiting"
    ends = family.run(right)
    assert [[ring.seq for ring in report.rings] for report in ends] == [[right], [right], [seq]]
    assert family.process(seq).status == "resumed"
    family.run(seq)
    done = family.process(seq)
    assert (done.status, done.waiting_for, done.state["after"]) == ("completed", None, True)
    assert [row.status for row in family.steps(seq)] == ["success", "waiting", "success", "complete"]
    assert ledger() == ["branch 0", "branch 1"]


def test_a_step_without_children_waits_for_nothing(family: EngineOnTest) -> None:
    seq, children = waiting(family, 0)
    assert (family.process(seq).status, children) == ("completed", [])


def test_a_child_that_failed_has_not_ended_and_one_that_was_aborted_fails_its_parent(family: EngineOnTest) -> None:
    FAULTS.add("1")
    seq, (left, right) = waiting(family)
    family.run(left)
    family.run(right)
    assert family.process(right).status == "failed"
    assert sweep(family) == []
    assert family.process(seq).status == "waiting"

    family.change(right, status="aborted")
    assert sweep(family) == [seq], "the clock finds what ended without a worker"
    family.run(seq)
    parent = family.process(seq)
    assert parent.status == "failed"
    assert parent.failed_reason is not None
    assert "aborted: number 1; skip this step" in parent.failed_reason
    assert family.steps(seq)[-1].error["class"] == "ChildAbortedError"


def test_a_parent_that_is_woken_too_early_waits_on(family: EngineOnTest) -> None:
    seq, (left, right) = waiting(family)
    family.run(left)
    family.change(seq, status="resumed", waiting_for=None)
    family.run(seq)
    parent = family.process(seq)
    assert (parent.status, parent.waiting_for) == ("waiting", "children")
    assert children_of(family, seq) == [left, right], "none is started twice"
    family.run(right)
    family.run(seq)
    assert family.process(seq).status == "completed"


def test_a_step_that_failed_before_it_started_its_children_starts_them_when_it_is_resumed(family: EngineOnTest) -> None:
    faults = [RuntimeError("the list of branches cannot be read")]

    def read(state: State) -> list[Child]:
        if faults:
            raise faults.pop()
        return numbered(state)

    seq = family.start(a_parent(read), {"many": 2})
    family.run(seq)
    assert (family.process(seq).status, children_of(family, seq)) == ("failed", [])
    family.change(seq, status="resumed")
    family.run(seq)
    assert (family.process(seq).status, len(children_of(family, seq))) == ("waiting", 2)


def test_a_paused_parent_waits_until_it_is_unpaused(family: EngineOnTest) -> None:
    seq, (left, right) = waiting(family)
    family.run(left)
    family.change(seq, paused=True)
    assert [report.others for report in family.run(right)] == [(), (), ()]
    assert (family.process(seq).status, sweep(family)) == ("waiting", [])
    family.change(seq, paused=False)
    assert sweep(family) == [seq]
    family.run(seq)
    assert family.process(seq).status == "completed"


def test_children_that_were_deleted_are_neither_missed_nor_started_again(family: EngineOnTest) -> None:
    seq, (left, right) = waiting(family)
    family.run(left)
    family.query("DELETE FROM processes WHERE seq = %(seq)s", seq=left)
    family.run(right)
    family.query("DELETE FROM processes WHERE seq = %(seq)s", seq=right)
    family.run(seq)
    assert (family.process(seq).status, children_of(family, seq)) == ("completed", [])


def test_children_of_an_earlier_generation_do_not_end_the_wait_of_a_later_one(family: EngineOnTest) -> None:
    seq, (left, right) = waiting(family)
    family.run(left)
    family.change(seq, status="resumed", waiting_for=None, generation=2)
    family.run(seq)
    assert len(children_of(family, seq)) == 4
    family.run(right)
    assert family.process(seq).status == "waiting"
    assert sweep(family) == []


def test_two_last_children_that_end_at_the_same_moment_do_not_miss_each_other(family: EngineOnTest) -> None:
    seq, (left, right) = waiting(family)
    for child in (left, right):
        runner = family.runner()
        runner.run(child)
        runner.run(child)
    with psycopg.connect(family.url.replace("+psycopg", "")) as holder:
        holder.execute(LOCK_PROCESS, {"seq": seq, "claim": None})
        reports: dict[int, Any] = {}
        threads = [
            threading.Thread(target=lambda child=child: reports.update({child: family.runner().run(child)}))
            for child in (left, right)
        ]
        for thread in threads:
            thread.start()
        waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        give_up = time.monotonic() + 20
        while family.query(waits) != [(2,)] and time.monotonic() < give_up:
            time.sleep(0.01)
        assert family.query(waits) == [(2,)], "both wait for the parent"
    for thread in threads:
        thread.join(20)
    rung = [ring.seq for report in reports.values() for ring in report.others]
    assert rung == [seq], "the second saw the first, and only one rings"
    family.run(seq)
    assert family.process(seq).status == "completed"


@pytest.mark.parametrize(
    ("children", "reason"),
    [
        (lambda _: [Child("a", "branch"), Child("a", "branch")], "more than one child called 'a'"),
        (lambda _: [Child("a", "nothing")], "the catalog has no workflow 'nothing'"),
        (lambda _: [Child("a", "unknown_here")], "the database has no workflow 'unknown_here'"),
        (lambda _: [Child("a", "branch", {"number": {1, 2}})], "number"),
        (lambda _: [Child("a", "branch", {"number": "1" * 2_000_000})], "starts with 2000"),
    ],
)
def test_children_that_cannot_be_started_fail_the_step_and_none_is_started(
    family: EngineOnTest, children: Callable[[State], Any], reason: str
) -> None:
    def unknown_here() -> Any:
        return begin >> work

    family.catalog.add_workflow(task("Not in the database")(unknown_here))
    seq = family.start(a_parent(lambda state: [Child("first", "branch", {"number": 0}), *children(state)]))
    family.run(seq)
    parent = family.process(seq)
    assert parent.status == "failed"
    assert parent.failed_reason is not None
    assert reason in parent.failed_reason
    assert children_of(family, seq) == []
