"""Skip, rerun and migrate; and processes under way whose workflow is deployed anew with another list of steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import pytest

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import Limits, StepRunner
from orchestrator.errors import (
    CodeMissingError,
    ConflictError,
    EnginePausedError,
    ForbiddenError,
    InvalidInputError,
    ProcessNotFoundError,
)
from orchestrator.language.catalog import Catalog
from orchestrator.language.step_list import Step
from orchestrator.language.steps import begin, step
from orchestrator.language.vocabulary import REMOVED, Actor, State
from orchestrator.language.workflows import Workflow, workflow
from orchestrator.services.context import Context
from orchestrator.services.moving import migrate_process, rerun_process, skip_step
from orchestrator.services.pausing import pause_process
from orchestrator.services.process_views import ProcessDetail, process_detail
from orchestrator.services.processes import abort_process, resume_process, start_process
from orchestrator.storage.database import Database
from tests.integration.process_world import FAULTS, OPERATOR, World, process_world, unknown_id

RAN: list[tuple[str, str]] = []


def named(key: str, name: str | None = None) -> Step:
    """A step that notes that it ran, and fails when it is told to."""

    @step(name or key.title(), key=key)
    def note(state: State, idempotency_key: str) -> State:
        if key in FAULTS:
            FAULTS.remove(key)
            raise RuntimeError(f"{key} fails")
        RAN.append((key, idempotency_key.rpartition(":")[2]))
        if key == "c":
            return {"c": 1, "a": REMOVED}
        return {key: state.get(key, 0) + 1}

    return note


def version(*steps: Step) -> Workflow:
    """A version of the one workflow that these tests deploy."""

    @workflow("Changes from release to release")
    def changing() -> Any:
        listed = begin
        for one in steps:
            listed = listed >> one
        return listed

    return changing


@dataclass
class Releases:
    """A workflow that is deployed again and again, and a worker that always has the code of today."""

    world: World
    worker: WorkerConnection
    limits: Limits
    catalog: Catalog = field(default_factory=Catalog)

    def deploy(self, *steps: Step) -> None:
        """Make these the steps that API and worker have the code of."""
        self.catalog = Catalog()
        self.catalog.add_workflow(version(*steps))

    @property
    def context(self) -> Context:
        return replace(self.world.context, catalog=self.catalog)

    def start(self) -> UUID:
        """Start and run until it stops."""
        process_id = start_process(self.context, OPERATOR, "changing").process_id
        self.run()
        return process_id

    def run(self) -> None:
        runner = StepRunner(self.worker, self.catalog, self.limits)
        while self.world.bell.rings:
            report = runner.run(self.world.bell.rings.pop(0).seq)
            if report is not None and report.ring is not None:
                self.world.bell.rings.append(report.ring)

    def detail(self, process_id: UUID) -> ProcessDetail:
        return process_detail(self.context, process_id)

    def status(self, process_id: UUID) -> str:
        return self.detail(process_id).process.last_status


@pytest.fixture
def releases(database: Database, database_url: str) -> Iterator[Releases]:
    with process_world(database, database_url) as world:
        world.query(
            "INSERT INTO workflows (workflow_id, name, target) VALUES (gen_random_uuid(), 'changing', 'SYSTEM')"
        )
        made = Releases(world, WorkerConnection(database_url, "test"), replace(LIMITS, code_wait=0.0))
        made.deploy(named("a"), named("b"), named("c"), named("d"))
        RAN.clear()
        yield made
        made.worker.discard()


LIMITS = Limits(max_delta_bytes=1_000_000, max_lost_attempts=3, code_wait=60.0)


def failed_at(releases: Releases, key: str) -> UUID:
    FAULTS.append(key)
    process_id = releases.start()
    assert releases.detail(process_id).process.last_status == "failed"
    return process_id


def keys(detail: ProcessDetail) -> list[tuple[str, str, int | None]]:
    return [(one.key, one.status, one.generation) for one in detail.steps]


def audited(releases: Releases, action: str) -> list[tuple[Any, ...]]:
    return releases.world.query(
        "SELECT actor, reason, request_id, before, after FROM audit WHERE action = :action", action=action
    )


def own(state: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in state.items() if len(key) == 1}


def test_a_failed_step_is_skipped_and_it_is_kept_who_did_it_and_why(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    skip_step(releases.context, OPERATOR, process_id, "done by hand", reporter="eve", request_id="r1")
    assert releases.status(process_id) == "resumed"
    assert [ring.step_key for ring in releases.world.bell.rings] == ["c"]
    releases.run()
    detail = releases.detail(process_id)
    assert keys(detail) == [
        ("a", "success", 1),
        ("b", "failed", 1),
        ("b", "skipped", 1),
        ("c", "success", 1),
        ("d", "complete", 1),
    ]
    skipped = detail.steps[2]
    assert (skipped.created_by, skipped.name) == ("eve", "B")
    assert skipped.error["error"] == "done by hand"
    ((actor, reason, request_id, before, after),) = audited(releases, "skip")
    assert (actor, reason, request_id) == ("operator", "done by hand", "r1")
    assert before == {"status": "failed", "step": "b", "generation": 1}
    assert after == {"status": "resumed", "step": "c", "generation": 1}


def test_the_last_step_is_skipped_and_the_process_completes(releases: Releases) -> None:
    process_id = failed_at(releases, "d")
    skip_step(releases.context, OPERATOR, process_id, "not needed")
    assert releases.status(process_id) == "completed"
    assert releases.world.bell.rings == []


def test_a_rerun_goes_on_with_the_state_before_the_step_and_new_idempotency_keys(releases: Releases) -> None:
    process_id = failed_at(releases, "d")
    assert own(releases.detail(process_id).current_state) == {"b": 1, "c": 1}
    rerun_process(releases.context, OPERATOR, process_id, "b", "the address was wrong", reporter="eve", request_id="r2")
    moved = releases.detail(process_id)
    assert (moved.process.last_status, own(moved.current_state)) == ("resumed", {"a": 1})
    assert [(one.key, one.status) for one in moved.steps[-3:]] == [("b", "pending"), ("c", "pending"), ("d", "pending")]
    releases.run()
    detail = releases.detail(process_id)
    assert detail.process.last_status == "completed"
    assert own(detail.current_state) == {"b": 1, "c": 1, "d": 1}
    assert [ran for ran in RAN if ran[1] == "2"] == [("b", "2"), ("c", "2"), ("d", "2")]
    assert keys(detail)[4:] == [("b", "success", 2), ("c", "success", 2), ("d", "complete", 2)]
    assert [(one.cause, one.generation, one.step_key, one.created_by, one.reason) for one in detail.starts] == [
        ("start", 1, "a", "operator", None),
        ("rerun", 2, "b", "eve", "the address was wrong"),
    ]
    ((actor, reason, request_id, before, after),) = audited(releases, "rerun")
    assert (actor, reason, request_id) == ("operator", "the address was wrong", "r2")
    assert (before["step"], before["generation"], after["step"], after["generation"]) == ("d", 1, "b", 2)


def test_reruns_of_reruns_find_the_state_of_the_latest_run(releases: Releases) -> None:
    process_id = failed_at(releases, "d")
    FAULTS.append("d")
    rerun_process(releases.context, OPERATOR, process_id, "c")
    releases.run()
    FAULTS.append("d")
    rerun_process(releases.context, OPERATOR, process_id, "a")
    assert own(releases.detail(process_id).current_state) == {}
    releases.run()
    rerun_process(releases.context, OPERATOR, process_id, "c")
    assert own(releases.detail(process_id).current_state) == {"a": 1, "b": 1}
    releases.run()
    assert releases.status(process_id) == "completed"
    assert [generation for key, generation in RAN if key == "c"] == ["1", "2", "3", "4"]


def test_a_rerun_of_the_step_that_failed_keeps_the_state_and_takes_a_new_key(releases: Releases) -> None:
    process_id = failed_at(releases, "c")
    rerun_process(releases.context, OPERATOR, process_id, "c")
    assert own(releases.detail(process_id).current_state) == {"a": 1, "b": 1}
    releases.run()
    assert RAN[-2:] == [("c", "2"), ("d", "2")]


def test_moves_that_cannot_be_are_refused_and_change_nothing(releases: Releases) -> None:
    process_id = failed_at(releases, "b")
    context = releases.context
    before = releases.world.query("SELECT * FROM processes")
    for key in ("c", "d"):
        with pytest.raises(ConflictError, match="has not come to"):
            rerun_process(context, OPERATOR, process_id, key)
    with pytest.raises(InvalidInputError, match="a, b, c, d"):
        rerun_process(context, OPERATOR, process_id, "nothing")
    with pytest.raises(InvalidInputError, match="a, b, c, d"):
        migrate_process(context, OPERATOR, process_id, "nothing")
    with pytest.raises(ConflictError, match="already"):
        migrate_process(context, OPERATOR, process_id, "a")
    with pytest.raises(InvalidInputError, match="reason"):
        skip_step(context, OPERATOR, process_id, " ")
    with pytest.raises(ProcessNotFoundError):
        skip_step(context, OPERATOR, unknown_id(), "why")
    releases.world.query("UPDATE engine_settings SET paused = true")
    with pytest.raises(EnginePausedError):
        rerun_process(context, OPERATOR, process_id, "a")
    assert releases.world.query("SELECT * FROM processes") == before
    assert releases.world.bell.rings == []


@pytest.mark.parametrize("ended", ["completed", "aborted"])
def test_a_process_that_has_ended_is_not_moved(releases: Releases, ended: str) -> None:
    process_id = releases.start() if ended == "completed" else failed_at(releases, "b")
    if ended == "aborted":
        abort_process(releases.context, OPERATOR, process_id)
    releases.deploy(named("a"))
    for act in (rerun_process, migrate_process):
        with pytest.raises(ConflictError, match=ended):
            act(releases.context, OPERATOR, process_id, "a")
    with pytest.raises(ConflictError, match=ended):
        skip_step(releases.context, OPERATOR, process_id, "why")


def test_who_may_not_retry_may_not_move(releases: Releases) -> None:
    world = releases.world
    process_id = start_process(world.context, Actor("alice"), "guarded_task").process_id
    world.run()
    with pytest.raises(ForbiddenError):
        skip_step(world.context, Actor("alice"), process_id, "why")
    with pytest.raises(ForbiddenError):
        rerun_process(world.context, Actor("alice"), process_id, "start")
    skip_step(world.context, Actor("bob"), process_id, "why")
    world.run()
    assert process_detail(world.context, process_id).process.last_status == "completed"


def test_a_paused_process_that_is_moved_stays_where_it_was_moved_to(releases: Releases) -> None:
    process_id = failed_at(releases, "c")
    pause_process(releases.context, OPERATOR, process_id)
    rerun_process(releases.context, OPERATOR, process_id, "a")
    assert releases.world.bell.rings == []
    detail = releases.detail(process_id)
    assert (detail.process.last_status, detail.process.paused, detail.steps[-4].key) == ("resumed", True, "a")


def test_a_process_of_an_older_release_without_its_first_state_is_not_run_again(releases: Releases) -> None:
    process_id = failed_at(releases, "c")
    releases.world.query("DELETE FROM process_starts")
    with pytest.raises(ConflictError, match="older release"):
        rerun_process(releases.context, OPERATOR, process_id, "a")
    rerun_process(releases.context, OPERATOR, process_id, "c")
    releases.run()
    assert releases.status(process_id) == "completed"


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
    with pytest.raises(CodeMissingError):
        migrate_process(releases.context, OPERATOR, process_id, "a")


def test_a_check_takes_its_subscription_again_when_it_is_moved(releases: Releases) -> None:
    world = releases.world
    port = world.subscription()
    FAULTS.append("does not fit")
    process_id = start_process(world.context, OPERATOR, "validate_port", [{"subscription_id": str(port)}]).process_id
    world.run()
    assert world.query("SELECT insync FROM subscriptions") == [(True,)]
    skip_step(world.context, OPERATOR, process_id, "known")
    assert world.query("SELECT insync, held_by FROM subscriptions") == [(False, process_id)]
    world.run()
    assert world.query("SELECT insync, held_by FROM subscriptions") == [(True, None)]
