"""What happens to a process when a worker child, or a server, is killed in the middle of its step."""

from __future__ import annotations

import os
import signal

import psycopg
import pytest

from tests.end_to_end.running_system import RunningSystem, done, row_of, wait_until


def test_a_worker_child_killed_in_a_step_loses_nothing_and_does_nothing_twice(system: RunningSystem) -> None:
    gate = system.new_gate()
    process_id = system.start("write_ledger", {"gate": gate.name})
    (victim,) = gate.wait_for_visits(1)
    assert victim in system.worker_children()
    running = row_of(system.show(process_id), "enter_and_wait")
    assert (running["status"], running["attempt"]) == ("running", 1)

    os.kill(victim, signal.SIGKILL)

    second = gate.wait_for_visits(2)[1]
    assert second != victim
    again = row_of(system.show(process_id), "enter_and_wait")
    assert (again["status"], again["attempt"]) == ("running", 2)
    gate.open()
    ended = system.wait_for(process_id, "completed")
    assert done(ended) == ["start", "enter_and_wait", "step_1", "done"]
    assert row_of(ended, "enter_and_wait")["attempt"] == 2
    assert row_of(ended, "enter_and_wait")["worker"].endswith(f":{second}")
    assert len(gate.visits()) == 2
    assert system.rows("SELECT entry FROM ledger WHERE entry = %(gate)s", gate=gate.name) == [{"entry": gate.name}]
    wait_until(lambda: len(system.worker_children()) == 2, lambda: "the child that was killed has no successor")


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_worker_child_killed_around_sending_the_next_bell_loses_nothing_and_does_nothing_twice(
    system: RunningSystem, moment: str
) -> None:
    gate = system.new_gate()
    process_id = system.start("dies_around_sending", {"gate": gate.name, "moment": moment})
    (victim,) = gate.wait_for_visits(1)

    ended = system.wait_for(process_id, "completed")

    assert done(ended) == ["start", "enter_and_die", "step_1", "done"]
    assert [row["attempt"] for row in ended["steps"]] == [1, 1, 1, 1]
    assert row_of(ended, "enter_and_die")["worker"].endswith(f":{victim}")
    assert not row_of(ended, "step_1")["worker"].endswith(f":{victim}")
    assert gate.visits() == [victim]
    assert system.rows("SELECT entry FROM ledger WHERE entry = %(gate)s", gate=gate.name) == [{"entry": gate.name}]
    wait_until(lambda: len(system.worker_children() - {victim}) == 2, lambda: "the child that died has no successor")


def test_a_step_that_ends_its_worker_fails_after_three_attempts(system: RunningSystem) -> None:
    failed = system.wait_for(system.start("endless_death"), "failed")
    assert "'End the worker child' (die)" in failed["failed_reason"]
    assert "the worker died in this step 3 times" in failed["failed_reason"]
    assert row_of(failed, "die")["status"] == "failed"
    assert system.run("ten_steps")["last_status"] == "completed"


def test_a_step_that_takes_too_long_fails_and_its_child_works_on(system: RunningSystem) -> None:
    failed = system.wait_for(system.start("takes_too_long"), "failed")
    assert "did not end within its time limit of 0.5 seconds" in failed["failed_reason"]
    row = row_of(failed, "take_too_long")
    assert row["attempt"] == 1
    assert int(row["worker"].rpartition(":")[2]) in system.worker_children()


def test_a_step_that_cannot_be_interrupted_meets_its_hard_limit_and_its_child_is_replaced(
    system: RunningSystem,
) -> None:
    wait_until(lambda: len(system.worker_children()) == 2, lambda: "the last child that died has no successor")
    children = system.worker_children()
    failed = system.wait_for(system.start("listens_to_nobody"), "failed")
    assert "given up at the hard limit" in failed["failed_reason"]
    assert [row["status"] for row in failed["steps"] if row["key"] == "listen_to_nobody"] == ["failed"]
    wait_until(
        lambda: len(system.worker_children() & children) == 1 and len(system.worker_children()) == 2,
        lambda: f"the child that is stuck is not replaced: {children}, now {system.worker_children()}",
    )
    assert system.run("ten_steps")["last_status"] == "completed"


def test_an_abort_wins_at_once_over_a_step_that_runs(system: RunningSystem) -> None:
    gate = system.new_gate()
    process_id = system.start("write_ledger", {"gate": gate.name})
    (worker,) = gate.wait_for_visits(1)
    assert system.api.put(f"/api/processes/{process_id}/abort").status_code == 204
    assert system.show(process_id)["last_status"] == "aborted"
    gate.open()
    assert worker in system.occupy_all_children()
    ended = system.show(process_id)
    assert ended["last_status"] == "aborted"
    assert done(ended) == ["start"]
    assert system.rows("SELECT entry FROM ledger WHERE entry = %(gate)s", gate=gate.name) == []


@pytest.mark.parametrize("program", ["valkey-server", "postgres"])
def test_a_server_killed_under_load_is_started_again_and_nothing_is_lost_or_done_twice(
    system: RunningSystem, program: str
) -> None:
    gates = [system.new_gate(), system.new_gate()]
    started = [system.start("write_ledger", {"gate": gate.name}) for gate in gates]
    for gate in gates:
        gate.wait_for_visits(1)
    started += [system.start("ten_steps") for _ in range(20)]

    os.kill(system.server(program), signal.SIGKILL)
    for gate in gates:
        gate.open()

    of_these = "FROM processes WHERE process_id = ANY(%(ids)s::uuid[])"

    def statuses() -> dict[str, int]:
        try:
            found = system.rows(f"SELECT status, count(*) {of_these} GROUP BY status", ids=started)
        except psycopg.OperationalError:
            return {"no database": 1}
        return {row["status"]: row["count"] for row in found}

    wait_until(lambda: statuses() == {"completed": len(started)}, lambda: str(statuses()), 60)
    counted = system.rows(
        "SELECT count(*) AS rows, count(DISTINCT (process_seq, position)) AS steps FROM process_steps"
        f" WHERE process_seq IN (SELECT seq {of_these})",
        ids=started,
    )
    assert counted == [{"rows": 2 * 4 + 20 * 12, "steps": 2 * 4 + 20 * 12}]
    entries = system.rows("SELECT entry FROM ledger WHERE entry = ANY(%(names)s)", names=[gate.name for gate in gates])
    assert sorted(entry["entry"] for entry in entries) == sorted(gate.name for gate in gates)
    system.wait_until_ready()
