"""Time that passes at once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from orchestrator.services.schedule_plans import Wanted
from orchestrator.services.schedules import create_schedule
from orchestrator.testing import Workbench
from tests.integration.workbench.catalog_on_bench import NEEDED, ROUTES


def test_a_process_that_sleeps_goes_on_when_its_time_has_come_and_not_before(workbench: Workbench) -> None:
    NEEDED.append(1)
    process = workbench.start("be_patient").expect("waiting", at="sleep_for")
    workbench.pass_time(minutes=59)
    process.expect("waiting", at="sleep_for")
    workbench.pass_time(minutes=2)
    process.expect("completed")


def test_all_that_comes_due_within_the_time_happens_in_it(workbench: Workbench) -> None:
    """One hour of sleep, then pauses of 60 and 120 seconds."""
    NEEDED.append(3)
    process = workbench.start("be_patient")
    workbench.pass_time(timedelta(hours=1), seconds=100)
    process.expect("waiting", at="ask_again", reason="no answer to question 2")
    workbench.pass_time(seconds=100)
    assert process.expect("completed").state["asked"] == 3


def test_the_time_can_pass_until_something_comes_due(workbench: Workbench) -> None:
    NEEDED.append(9)
    process = workbench.start("be_patient")
    passed = []
    while (hop := workbench.to_next_due()) is not None:
        passed.append(round(hop.total_seconds()))
    assert passed == [3600, 60, 120, 240]
    process.expect("failed", at="ask_again", reason="no answer to question 4")


def test_a_callback_that_does_not_come_in_time_fails_its_step(workbench: Workbench) -> None:
    process = workbench.start("order").expect("awaiting_callback")
    workbench.pass_time(minutes=9)
    process.expect("awaiting_callback")
    workbench.pass_time(minutes=2)
    process.expect("failed", reason="within the time limit of 600 seconds")
    assert len(ROUTES) == 1


def test_a_process_that_waits_past_its_own_time_limit_fails(workbench: Workbench) -> None:
    process = workbench.start("waits_for_a_day").expect("suspended")
    assert workbench.to_next_due() is not None
    process.expect("failed", at="say_yes", reason="time limit of 86400 seconds")


@pytest.mark.parametrize(("overlap", "started"), [("allow", 5), ("skip", 1), ("queue", 1)])
def test_schedules_run_when_they_are_due(workbench: Workbench, overlap: str, started: int) -> None:
    wanted = Wanted("waits_for_a_day", name="Hourly", every=3600, overlap=overlap)
    create_schedule(workbench.context, workbench.actor, wanted)
    workbench.pass_time(hours=5, minutes=30)
    assert [one.status for one in workbench.processes] == ["suspended"] * started

    workbench.processes[0].abort()
    workbench.pass_time(seconds=1)
    assert len(workbench.processes) == started + (overlap == "queue")


def test_the_whole_past_moves_with_tables_of_the_authors_own(workbench: Workbench) -> None:
    process = workbench.start("be_patient")
    started = process.steps[0].started
    sent = [datetime(2026, 1, day, tzinfo=UTC) for day in (3, 2, 1)]
    with workbench.transaction() as session:
        for moment in sent:
            session.execute(text("INSERT INTO shipments (size, sent_at) VALUES (1, :moment)"), {"moment": moment})

    workbench.pass_time(days=1)  # they are unique: each moves to where another was
    with workbench.transaction() as session:
        moved = session.execute(text("SELECT sent_at FROM shipments ORDER BY sent_at DESC")).scalars().all()
    assert moved == [one - timedelta(days=1) for one in sent]
    assert started is not None
    assert process.steps[0].started == started - timedelta(days=1)


def test_a_year_passes_at_once_and_time_does_not_go_backwards(workbench: Workbench) -> None:
    process = workbench.acting_as("alice", "boss").start("guarded")
    workbench.pass_time(days=365)
    started = process.steps[0].started
    assert started is not None
    assert datetime.now(UTC) - started > timedelta(days=364)
    with pytest.raises(ValueError, match="does not go backwards"):
        workbench.pass_time(seconds=-1)
