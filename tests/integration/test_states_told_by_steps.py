"""Processes that have ended with a large state: it is not kept, and is shown as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from orchestrator.api.application import build_application
from orchestrator.engine.runner import StepRunner
from orchestrator.errors import ConflictError
from orchestrator.language.steps import inputstep, step
from orchestrator.language.vocabulary import REMOVED, State
from orchestrator.services.cleaning import clean_up
from orchestrator.services.moving import migrate_process, rerun_process, skip_step
from orchestrator.services.processes import abort_process, resume_process, set_note, start_process
from orchestrator.storage.migrating import Migrations
from orchestrator.storage.session import db
from tests.integration.engine.engine_on_test import LARGE
from tests.integration.process_world import FAULTS, OPERATOR, NamePage
from tests.integration.releases import Releases, named, own


@step("Return much", key="much")
def much() -> State:
    # Keys in another order than the database has them in: that is by their length first, which it counts in bytes.
    return {"zzz": LARGE, "é": [1.50, 10**15], "a much longer key": None, "aa": {"é": 1, "b": 2}, "gone": 1}


@step("Take a key out", key="out")
def out() -> State:
    return {"gone": REMOVED, "zz": True}


@step("Write", key="d")
def writes(state: State) -> State:
    db.session.execute(text("SELECT 1"))
    return {"d": len(state)}


@inputstep("Ask", key="ask", assignee="NOC")
def ask() -> type[NamePage]:
    return NamePage


@pytest.fixture
def lengthy(releases: Releases) -> Releases:
    releases.deploy(much, out, named("a"), named("b"), named("c"), named("d"))
    return releases


def run_up_to(releases: Releases, key: str) -> None:
    """Follow the bells until the step with this key would run next."""
    runner = StepRunner(releases.worker, releases.catalog, releases.limits)
    while (rings := releases.world.bell.rings)[0].step_key != key:
        report = runner.run(rings.pop(0).seq)
        assert report is not None
        assert report.ring is not None, f"it stopped before {key}"
        rings.append(report.ring)


def until_failed(releases: Releases, key: str) -> UUID:
    FAULTS.append(key)
    return releases.start()


def straight(releases: Releases) -> UUID:
    process_id = start_process(releases.context, OPERATOR, "changing").process_id
    run_up_to(releases, "d")
    return process_id


def with_the_session(releases: Releases) -> UUID:
    releases.deploy(much, out, named("a"), writes)
    return straight(releases)


def resumed(releases: Releases) -> UUID:
    process_id = until_failed(releases, "d")
    resume_process(releases.context, OPERATOR, process_id)
    return process_id


def answered(releases: Releases) -> UUID:
    releases.deploy(much, out, ask, named("d"))
    process_id = releases.start()
    resume_process(releases.context, OPERATOR, process_id, [{"name": "one", "size": 2}])
    return process_id


def skipped(releases: Releases) -> UUID:
    process_id = until_failed(releases, "b")
    skip_step(releases.context, OPERATOR, process_id, "by hand")
    run_up_to(releases, "d")
    return process_id


def run_again(releases: Releases) -> UUID:
    process_id = until_failed(releases, "d")
    for key in ("b", "out"):
        rerun_process(releases.context, OPERATOR, process_id, key)
        FAULTS.append("d")
        releases.run()
    rerun_process(releases.context, OPERATOR, process_id, "c")
    run_up_to(releases, "d")
    return process_id


def run_again_without(releases: Releases) -> UUID:
    """Run again from a step that is skipped this time: what it changed the first time is not there."""
    process_id = until_failed(releases, "d")
    FAULTS.append("b")
    rerun_process(releases.context, OPERATOR, process_id, "b")
    releases.run()
    skip_step(releases.context, OPERATOR, process_id, "not this time")
    run_up_to(releases, "d")
    return process_id


def moved_on(releases: Releases) -> UUID:
    """Moved to other steps; its generation, in which steps are recorded already, stays."""
    process_id = until_failed(releases, "b")
    releases.deploy(much, out, named("a"), named("b"), named("e"), named("d"))
    migrate_process(releases.context, OPERATOR, process_id, "e")
    run_up_to(releases, "d")
    return process_id


def moved_back(releases: Releases) -> UUID:
    """Moved to other steps, of which it has to do some again: a new generation."""
    process_id = until_failed(releases, "d")
    releases.deploy(much, out, named("a"), named("e"), named("d"))
    migrate_process(releases.context, OPERATOR, process_id, "out")
    run_up_to(releases, "d")
    return process_id


def stored(releases: Releases) -> tuple[str, str | None, str]:
    """Status, state and what was changed apart from it, of the one process."""
    (row,) = releases.world.query("SELECT status, state::text, recent::text FROM processes")
    status, state, recent = row
    return status, state, recent


def expected(releases: Releases, change: State) -> list[tuple[str, Any]]:
    """The state that the one process will have after this change, its keys in the order of the database."""
    statement = "SELECT (state || recent || CAST(:change AS jsonb))::text FROM processes"
    (told,) = releases.world.query(statement, change=json.dumps(change))[0]
    return list(json.loads(told).items())


@pytest.mark.parametrize(
    "way", [straight, with_the_session, resumed, answered, skipped, run_again, run_again_without, moved_on, moved_back]
)
def test_a_large_state_is_not_kept_and_is_shown_as_it_was(lengthy: Releases, way: Callable[[Releases], UUID]) -> None:
    process_id = way(lengthy)
    before = lengthy.detail(process_id).current_state
    change = {"d": len(before) if way is with_the_session else before.get("d", 0) + 1}
    shown = expected(lengthy, change)
    lengthy.run()

    assert stored(lengthy) == ("completed", None, "{}")
    detail = lengthy.detail(process_id)
    assert list(detail.current_state.items()) == shown
    assert detail.current_state["zzz"] == LARGE
    assert "gone" not in detail.current_state


def test_bursts_end_the_same(lengthy: Releases) -> None:
    process_id = start_process(lengthy.context, OPERATOR, "changing").process_id
    runner = StepRunner(lengthy.worker, lengthy.catalog, lengthy.limits)
    reports = list(runner.burst(lengthy.world.bell.rings.pop().seq, None, lambda: True))
    assert len(reports) == 6
    assert stored(lengthy) == ("completed", None, "{}")
    state = lengthy.detail(process_id).current_state
    assert (own(state), state["zzz"]) == ({"é": [1.5, 10**15], "b": 1, "c": 1, "d": 1}, LARGE)


def test_a_client_gets_the_same_bytes_whether_it_is_kept_or_not(lengthy: Releases, database_url: str) -> None:
    process_id = straight(lengthy)
    (seq,) = (ring.seq for ring in lengthy.world.bell.rings)
    lengthy.run()
    client = build_application(lengthy.context).test_client()
    shown = client.get(f"/api/processes/{process_id}")
    assert (shown.status_code, stored(lengthy)[1]) == (200, None)

    # The schema of before cannot do without: it gets the state from the database's own merges.
    migrations = Migrations(database_url)
    migrations.downgrade("schema_0012")
    assert stored(lengthy)[1] is not None
    assert client.get(f"/api/processes/{process_id}").data == shown.data
    nullable = (
        "SELECT is_nullable FROM information_schema.columns WHERE table_name = 'processes' AND column_name = 'state'"
    )
    assert lengthy.world.query(nullable) == [("NO",)]
    migrations.upgrade()
    assert lengthy.world.query(nullable) == [("YES",)]
    assert client.get(f"/api/processes/{process_id}").data == shown.data
    assert lengthy.world.query("SELECT seq FROM processes") == [(seq,)]


def test_a_rerun_leaves_nothing_of_what_was_changed_apart_from_a_large_state(lengthy: Releases) -> None:
    process_id = until_failed(lengthy, "c")
    assert json.loads(stored(lengthy)[2]) == {"a": 1, "b": 1}
    rerun_process(lengthy.context, OPERATOR, process_id, "b")
    assert stored(lengthy)[2] == "{}"
    assert own(lengthy.detail(process_id).current_state).keys() & {"a", "b"} == {"a"}


def test_a_schema_without_a_place_for_what_was_changed_apart_has_it_in_the_state(
    lengthy: Releases, database_url: str
) -> None:
    until_failed(lengthy, "c")
    assert stored(lengthy)[2] != "{}"
    shown = expected(lengthy, {})
    migrations = Migrations(database_url)
    migrations.downgrade("schema_0011")
    ((state,),) = lengthy.world.query("SELECT state::text FROM processes")
    assert list(json.loads(state).items()) == shown
    migrations.upgrade()
    assert stored(lengthy)[2] == "{}"


def test_small_states_and_those_that_did_not_end_by_a_step_are_kept(lengthy: Releases) -> None:
    process_id = until_failed(lengthy, "d")
    shown = lengthy.detail(process_id).current_state
    abort_process(lengthy.context, OPERATOR, process_id)
    status, state, _ = stored(lengthy)
    assert (status, state is None) == ("aborted", False)
    assert list(lengthy.detail(process_id).current_state.items()) == list(shown.items())

    lengthy.world.query("DELETE FROM processes")
    lengthy.deploy(named("a"), named("d"))
    lengthy.start()
    status, state, _ = stored(lengthy)
    assert (status, own(json.loads(state or ""))) == ("completed", {"a": 1, "d": 1})


def test_a_process_whose_beginning_was_not_kept_keeps_its_state(lengthy: Releases) -> None:
    process_id = straight(lengthy)
    lengthy.world.query("DELETE FROM process_starts")
    shown = expected(lengthy, {"d": 1})
    lengthy.run()
    status, state, _ = stored(lengthy)
    assert (status, state is None) == ("completed", False)
    assert list(lengthy.detail(process_id).current_state.items()) == shown


def test_an_abort_while_the_last_step_runs_wins_and_the_state_is_that_before_it(lengthy: Releases) -> None:
    @step("Is aborted in it", key="d")
    def aborted_meanwhile(process_id: UUID) -> State:
        abort_process(lengthy.context, OPERATOR, process_id)
        return {"d": 1}

    lengthy.deploy(much, out, named("a"), aborted_meanwhile)
    process_id = straight(lengthy)
    shown = expected(lengthy, {})
    lengthy.run()
    assert stored(lengthy)[0] == "aborted"
    assert list(lengthy.detail(process_id).current_state.items()) == shown


def test_whoever_handles_a_process_that_has_ended_can_do_without_its_state(lengthy: Releases) -> None:
    process_id = straight(lengthy)
    lengthy.run()
    lengthy.deploy(much, named("d"))
    context = lengthy.context
    for refused in (
        lambda: resume_process(context, OPERATOR, process_id),
        lambda: abort_process(context, OPERATOR, process_id),
        lambda: skip_step(context, OPERATOR, process_id, "why"),
        lambda: rerun_process(context, OPERATOR, process_id, "much"),
        lambda: migrate_process(context, OPERATOR, process_id, "d"),
    ):
        with pytest.raises(ConflictError, match="completed"):
            refused()
    set_note(context, OPERATOR, process_id, "a note")
    assert stored(lengthy) == ("completed", None, "{}")
    assert lengthy.detail(process_id).process.note == "a note"

    lengthy.world.query("UPDATE processes SET started_at = '2020-01-01', last_modified_at = '2020-01-01'")
    settings = context.settings.model_copy(update={"retention_days": {"SYSTEM": 1.0}})
    assert clean_up(replace(context, settings=settings), OPERATOR, process_id).processes == 1
    assert lengthy.world.query("SELECT count(*) FROM process_steps") == [(0,)]
