"""Skip and rerun: processes that are moved within their steps, and what is refused."""

from __future__ import annotations

import pytest

from orchestrator.errors import (
    ConflictError,
    EnginePausedError,
    ForbiddenError,
    InvalidInputError,
    ProcessNotFoundError,
)
from orchestrator.language.vocabulary import Actor
from orchestrator.services.moving import migrate_process, rerun_process, skip_step
from orchestrator.services.pausing import pause_process
from orchestrator.services.process_views import ProcessDetail, process_detail
from orchestrator.services.processes import abort_process, start_process
from tests.integration.process_world import FAULTS, OPERATOR, unknown_id
from tests.integration.releases import RAN, Releases, audited, failed_at, named, own


def keys(detail: ProcessDetail) -> list[tuple[str, str, int | None]]:
    return [(one.key, one.status, one.generation) for one in detail.steps]


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
