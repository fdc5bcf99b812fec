"""Several workers and clocks: what they do together when one of them is ended, frozen or too slow."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Iterator
from uuid import UUID

import pytest

from orchestrator.engine.bell import Ring
from orchestrator.settings import Settings
from orchestrator.tasks.application import build_application
from orchestrator.tasks.bell import CeleryBell
from tests.end_to_end.api_client import done, row_of, wait_until
from tests.end_to_end.fleet import Fleet, Member, new_fleet, valkey_server
from tests.end_to_end.two_releases import AFTER, BEFORE

pytestmark = pytest.mark.slow

log = logging.getLogger(__name__)

# They wait for many times as long as the clock waits before it rings again for who seems to be forgotten.
MANY = 3_000


@pytest.fixture
def fleet(catalog_database_url: str) -> Iterator[Fleet]:
    with valkey_server() as broker, new_fleet(catalog_database_url, broker) as made:
        yield made


def received_again(worker: Member) -> int:
    """How often a message came to this worker for which there was nothing to do."""
    return worker.said().count("nothing to do")


def test_a_step_longer_than_the_visibility_timeout_runs_once(fleet: Fleet) -> None:
    gate = fleet.new_gate()
    fleet.web()
    workers = [fleet.worker("short_visibility"), fleet.worker("short_visibility")]
    fleet.clock()
    process_id = fleet.start("write_ledger", {"gate": gate.name})
    gate.wait_for_visits(1)
    time.sleep(20)
    assert len(gate.visits()) == 1
    gate.open()
    ended = fleet.wait_for(process_id, "completed")
    assert done(ended) == ["start", "enter_and_wait", "step_1", "done"]
    assert row_of(ended, "enter_and_wait")["attempt"] == 1
    assert len(gate.visits()) == 1
    assert fleet.rows("SELECT entry FROM ledger") == [{"entry": gate.name}]
    assert sum(map(received_again, workers)) >= 1, "its message was never handed out again, so that this shows nothing"


def test_an_abort_wins_at_once_over_a_step_whose_message_is_handed_out_again(fleet: Fleet) -> None:
    gate = fleet.new_gate()
    fleet.web()
    workers = [fleet.worker("short_visibility"), fleet.worker("short_visibility")]
    fleet.clock()
    process_id = fleet.start("write_ledger", {"gate": gate.name})
    gate.wait_for_visits(1)
    time.sleep(10)
    asked = time.monotonic()
    answer = fleet.api.put(f"/api/processes/{process_id}/abort?reporter=jane", json={"reason": "not needed any more"})
    assert answer.status_code == 204, answer.text
    assert time.monotonic() - asked < 2
    assert fleet.show(process_id)["last_status"] == "aborted"
    time.sleep(10)
    gate.open()
    wait_until(lambda: "result dropped" in "".join(worker.said() for worker in workers), lambda: workers[0].said())
    time.sleep(2)
    ended = fleet.show(process_id)
    assert ended["last_status"] == "aborted"
    assert done(ended) == ["start"]
    aborted = row_of(ended, "abort")
    assert (aborted["status"], aborted["created_by"]) == ("abort", "jane")
    assert ended["failed_reason"] == "not needed any more"
    assert (len(gate.visits()), fleet.rows("SELECT entry FROM ledger")) == (1, [])
    told = fleet.rows("SELECT actor, reason FROM audit WHERE action = 'abort'")
    assert told == [{"actor": "operator", "reason": "not needed any more"}]


def make_many(fleet: Fleet) -> list[Ring]:
    """Processes that are like one that was started, each to be rung for."""
    first = fleet.start("two_steps")
    fleet.broker_client().flushall()
    fleet.rows(
        "INSERT INTO processes (process_id, workflow_id, version_id, target, is_task, step_key, state, created_by) "
        "SELECT gen_random_uuid(), workflow_id, version_id, target, is_task, step_key, state, created_by "
        "FROM processes, generate_series(2, %(many)s) WHERE process_id = %(first)s",
        many=MANY,
        first=UUID(first),
    )
    return [
        Ring(row["seq"], row["process_id"], "two_steps", row["step_key"], row["target"], row["is_task"])
        for row in fleet.rows("SELECT seq, process_id, step_key, target, is_task FROM processes ORDER BY seq")
    ]


def sent(fleet: Fleet) -> int:
    """How many messages were put into queues."""
    with fleet.broker_client() as client:
        statistics = client.info("commandstats")
    return sum(statistics.get(f"cmdstat_{command}", {"calls": 0})["calls"] for command in ("lpush", "rpush"))


def test_thousands_that_wait_are_rung_for_hardly_twice(fleet: Fleet) -> None:
    fleet.web()
    rings = make_many(fleet)
    assert len(rings) == MANY
    settings = Settings(broker_url=fleet.broker.url)
    assert CeleryBell(build_application(settings), settings).ring(rings) == MANY
    before = sent(fleet)
    started = time.monotonic()
    fleet.clock().wait_until_it_said("this clock leads")
    workers = [fleet.worker(), fleet.worker()]
    wait_until(lambda: fleet.count("completed") == MANY, lambda: f"{fleet.count('completed')}", 900)
    took = time.monotonic() - started
    # One after each first step.
    extra = sent(fleet) - before - MANY
    idle = sum(map(received_again, workers))
    log.info("%d processes in %.0f s, %d messages too many, %d found nothing to do", MANY, took, extra, idle)
    assert 0 <= extra <= MANY * 0.05
    assert fleet.rows("SELECT count(*) AS n FROM process_steps") == [{"n": 2 * MANY}]


def test_a_rolling_restart_of_all_workers_under_load_loses_and_repeats_nothing(fleet: Fleet) -> None:
    fleet.web()
    fleet.clock()
    workers = [fleet.worker() for _ in range(2)]
    for worker in workers:
        worker.wait_until_it_said("ready.")
    gates = [fleet.new_gate() for _ in range(3)]
    held = [fleet.start("write_ledger", {"gate": gate.name}) for gate in gates]
    for gate in gates:
        gate.wait_for_visits(1)
    started = [fleet.start("ten_steps") for _ in range(100)]
    for old in workers:
        fleet.worker().wait_until_it_said("ready.")
        # To the whole group, as a terminal or a service manager may do it.
        old.signal_all(signal.SIGTERM)
        time.sleep(1)
        for gate in gates:
            gate.open()
        old.process.wait(40)
    wait_until(
        lambda: fleet.count("completed") == len(held) + len(started),
        lambda: str(fleet.rows("SELECT status, count(*) FROM processes GROUP BY status")),
        120,
    )
    counted = fleet.rows(
        "SELECT count(*) AS rows, count(DISTINCT (process_seq, position)) AS steps, max(attempt) AS attempts "
        "FROM process_steps"
    )
    steps = len(held) * 4 + len(started) * 12
    assert counted == [{"rows": steps, "steps": steps, "attempts": 1}]
    assert [len(gate.visits()) for gate in gates] == [1] * len(gates)
    assert sorted(row["entry"] for row in fleet.rows("SELECT entry FROM ledger")) == sorted(g.name for g in gates)
    assert [old.process.returncode for old in workers] == [0, 0]


def test_old_and_new_code_side_by_side_under_load_fail_nothing_and_skip_nothing(fleet: Fleet) -> None:
    fleet.rows("INSERT INTO workflows (workflow_id, name, target) VALUES (gen_random_uuid(), 'growing', 'SYSTEM')")
    fleet.clock()
    started: dict[str, tuple[str, ...]] = {}
    for catalog, keys in (("release_before", BEFORE), ("release_after", AFTER)):
        fleet.environment["ORCHESTRATOR_CATALOG"] = f"catalog_on_test,{catalog}"
        fleet.worker().wait_until_it_said("ready.")
        fleet.web()
        # Those of the release before are still under way when there is code of the release after.
        started |= {fleet.start("growing"): keys for _ in range(40)}
    wait_until(
        lambda: fleet.count("completed") == len(started),
        lambda: str(fleet.rows("SELECT status, step_key, count(*) FROM processes GROUP BY 1, 2")),
        180,
    )
    entries = sorted(row["entry"] for row in fleet.rows("SELECT entry FROM ledger"))
    assert entries == sorted(f"{process_id} {key}" for process_id, keys in started.items() for key in keys)
    for process_id, keys in started.items():
        assert done(fleet.show(process_id)) == list(keys)


def test_pauses_within_a_second_under_load_lose_and_repeat_nothing(fleet: Fleet) -> None:
    fleet.web()
    fleet.clock()
    for worker in [fleet.worker(), fleet.worker()]:
        worker.wait_until_it_said("ready.")
    gates = [fleet.new_gate() for _ in range(60)]
    for gate in gates:
        gate.open()
        fleet.start("write_ledger", {"gate": gate.name})

    def switch(paused: bool) -> None:
        assert fleet.api.put("/api/settings/status", json={"global_lock": paused}).status_code == 200

    for _ in range(3):
        begun = time.monotonic()
        for paused in (True, False, True, False):
            switch(paused)
        log.info("paused and unpaused twice in %.2f s, %d done", time.monotonic() - begun, fleet.count("completed"))
        time.sleep(0.5)
    wait_until(lambda: fleet.count("completed") == len(gates), lambda: str(fleet.count("completed")))
    assert sorted(row["entry"] for row in fleet.rows("SELECT entry FROM ledger")) == sorted(gate.name for gate in gates)
    assert [len(gate.visits()) for gate in gates] == [1] * len(gates)
    counted = fleet.rows("SELECT count(*) AS rows, max(attempt) AS attempts FROM process_steps")
    assert counted == [{"rows": 4 * len(gates), "attempts": 1}]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM], ids=lambda how: how.name)
def test_a_clock_that_stands_by_takes_over_within_five_seconds(fleet: Fleet, how: signal.Signals) -> None:
    leader = fleet.clock()
    leader.wait_until_it_said("this clock leads")
    standby = fleet.clock()
    standby.wait_until_it_said("beat: Starting")
    time.sleep(2)
    assert "this clock leads" not in standby.said()
    struck = time.monotonic()
    leader.signal_all(how)
    standby.wait_until_it_said("this clock leads", 10)
    took = time.monotonic() - struck
    log.info("%s: taken over after %.1f s", how.name, took)
    assert took < 5
    if how is signal.SIGSTOP:
        leader.signal_all(signal.SIGCONT)
        leader.wait_until_it_said("this clock stands by")
        assert leader.process.poll() is None
