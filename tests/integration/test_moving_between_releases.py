"""Processes under way whose workflow is deployed anew with another list of steps, and migrate."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import text

from orchestrator.errors import NotDeployedError, ProcessNotFoundError
from orchestrator.language.actions import Children
from orchestrator.language.catalog import Catalog
from orchestrator.language.outcomes import Child
from orchestrator.language.step_list import Step, StepList
from orchestrator.language.steps import begin
from orchestrator.language.workflows import task
from orchestrator.services.moving import migrate_process, rerun_process, skip_step
from orchestrator.services.processes import abort_process, resume_process
from tests.integration.process_world import FAULTS, OPERATOR
from tests.integration.releases import RAN, Releases, audited, failed_at, named, own


def test_a_step_that_was_inserted_is_for_new_processes_only(releases: Releases) -> None:
    process_id = failed_at(releases, "c")
    releases.deploy(named("a"), named("b"), named("x"), named("c"), named("d"))
    resume_process(releases.context, OPERATOR, process_id)
    releases.run()
    assert releases.status(process_id) == "completed"
    assert [key for key, _ in RAN] == ["a", "b", "c", "d"]
    RAN.clear()
    releases.start()
    assert [key for key, _ in RAN] == ["a", "b", "x", "c", "d"]


def test_steps_in_another_order_keep_theirs_in_processes_under_way(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    releases.deploy(named("d"), named("c"), named("b"), named("a"))
    resume_process(releases.context, OPERATOR, process_id)
    releases.run()
    assert releases.status(process_id) == "completed"
    assert [key for key, _ in RAN] == ["a", "b", "c", "d"]


def test_a_step_with_another_name_is_the_same_step_and_is_called_as_today(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    releases.deploy(named("a"), named("b", "Better name"), named("c"), named("d", "Best name"))
    assert releases.detail(process_id).steps[-1].name == "Best name"
    resume_process(releases.context, OPERATOR, process_id)
    releases.run()
    assert [one.name for one in releases.detail(process_id).steps] == ["A", "B", "Better name", "C", "Best name"]


@task("A branch")
def branch() -> StepList:
    return begin >> named("z")


def branches() -> Step:
    return Step("Branches", "branches", Children(lambda state: [Child("left", "branch"), Child("right", "branch")]))


@pytest.mark.parametrize("steps", [("a", "x", "branches", "d"), ("branches", "d")], ids=["later", "earlier"])
def test_children_that_a_process_waits_for_come_along_and_are_not_started_again(
    releases: Releases, steps: tuple[str, ...]
) -> None:
    releases.world.query(
        "INSERT INTO workflows (workflow_id, name, target) SELECT gen_random_uuid(), 'branch', 'SYSTEM'"
    )
    releases.deploy(named("a"), branches(), named("d"))
    releases.catalog.add_workflow(branch)
    FAULTS.append("z")
    process_id = releases.start()
    left = releases.world.query("SELECT process_id FROM processes WHERE parent_seq IS NOT NULL AND status = 'failed'")
    assert len(left) == 1
    assert releases.status(process_id) == "waiting"

    releases.deploy(*(branches() if key == "branches" else named(key) for key in steps))
    releases.catalog.add_workflow(branch)
    migrate_process(releases.context, OPERATOR, process_id, "branches")
    releases.run()
    assert releases.status(process_id) == "waiting"
    resume_process(releases.context, OPERATOR, left[0][0])
    releases.run()
    assert releases.status(process_id) == "completed"
    assert [key for key, _ in RAN] == ["a", "z", "z", "d"]
    assert releases.world.query("SELECT count(*) FROM processes WHERE parent_seq IS NOT NULL") == [(2,)]


def test_a_step_that_was_removed_fails_by_its_key_and_goes_on_when_it_is_back(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    releases.deploy(named("a"), named("b"), named("d"))
    resume_process(releases.context, OPERATOR, process_id)
    releases.run()
    failed = releases.detail(process_id).process
    assert failed.last_status == "failed"
    assert "has no step 'c'" in str(failed.failed_reason)
    releases.deploy(named("a"), named("b"), named("c"), named("d"))
    resume_process(releases.context, OPERATOR, process_id)
    releases.run()
    assert releases.status(process_id) == "completed"
    assert [key for key, _ in RAN] == ["a", "b", "c", "d"]


def test_a_step_that_was_removed_can_be_skipped(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    releases.deploy(named("a"), named("c"), named("d"))
    skip_step(releases.context, OPERATOR, process_id, "is no more")
    releases.run()
    assert releases.status(process_id) == "completed"
    assert [key for key, _ in RAN] == ["a", "c", "d"]


def test_a_process_is_moved_to_the_steps_of_today_at_a_step_of_theirs(releases: Releases) -> None:
    process_id = failed_at(releases, "c")
    releases.deploy(named("a"), named("b"), named("x"), named("c"), named("d"), named("e"))
    migrate_process(releases.context, OPERATOR, process_id, "x", "the new release needs x", request_id="r3")
    assert [one.key for one in releases.detail(process_id).steps if one.status == "pending"] == ["x", "c", "d", "e"]
    releases.run()
    detail = releases.detail(process_id)
    assert detail.process.last_status == "completed"
    assert [key for key, _ in RAN] == ["a", "b", "x", "c", "d", "e"]
    assert own(detail.current_state) == {"b": 1, "x": 1, "c": 1, "d": 1, "e": 1}
    ((actor, reason, request_id, before, after),) = audited(releases, "migrate")
    assert (actor, reason, request_id, before["step"], after["step"]) == (
        "operator",
        "the new release needs x",
        "r3",
        "c",
        "x",
    )
    assert before["version"] != after["version"] == releases.catalog.workflow("changing").version
    assert [(one.cause, one.step_key) for one in detail.starts] == [("start", "a"), ("migrate", "x")]


def test_a_step_that_failed_keeps_its_idempotency_key_in_the_new_version(releases: Releases) -> None:
    process_id = failed_at(releases, "c")
    releases.deploy(named("a"), named("b"), named("x"), named("c"), named("d"))
    migrate_process(releases.context, OPERATOR, process_id, "c")
    releases.run()
    assert RAN[-2:] == [("c", "1"), ("d", "1")]
    assert releases.status(process_id) == "completed"


def test_places_that_were_recorded_already_begin_a_new_generation(releases: Releases) -> None:
    process_id = failed_at(releases, "d")
    releases.deploy(named("c"), named("d"))
    migrate_process(releases.context, OPERATOR, process_id, "d")
    releases.run()
    assert releases.status(process_id) == "completed"
    assert RAN[-1] == ("d", "2")


def test_after_a_migration_a_rerun_finds_steps_of_before_by_their_keys(releases: Releases) -> None:
    process_id = failed_at(releases, "d")
    FAULTS.append("d")
    releases.deploy(named("a"), named("x"), named("b"), named("c"), named("d"))
    migrate_process(releases.context, OPERATOR, process_id, "d")
    releases.run()
    rerun_process(releases.context, OPERATOR, process_id, "c")
    assert own(releases.detail(process_id).current_state) == {"a": 1, "b": 1}
    FAULTS.append("c")
    releases.run()
    rerun_process(releases.context, OPERATOR, process_id, "x")
    assert own(releases.detail(process_id).current_state) == {"a": 1}
    releases.run()
    assert releases.status(process_id) == "completed"


def test_without_the_code_of_the_workflow_nothing_is_moved(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    releases.catalog = Catalog()
    with pytest.raises(NotDeployedError):
        migrate_process(releases.context, OPERATOR, process_id, "a")


def test_who_comes_while_a_process_is_moved_waits_and_finds_it_in_its_new_version(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    releases.deploy(named("a"), named("b"))
    releases.start()
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    refused: list[Exception] = []

    def abort() -> None:
        try:
            abort_process(releases.context, OPERATOR, process_id, "not needed")
        except ProcessNotFoundError as error:
            refused.append(error)

    coming = threading.Thread(target=abort)
    with releases.context.database.transaction("tests") as session:
        session.execute(text("UPDATE processes SET version_id = (SELECT max(version_id) FROM workflow_versions)"))
        coming.start()
        give_up = time.monotonic() + 20
        while releases.world.query(waits) != [(1,)] and time.monotonic() < give_up:
            time.sleep(0.01)
    coming.join(20)
    assert refused == []
    assert releases.status(process_id) == "aborted"
