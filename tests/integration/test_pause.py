"""Pause of the engine and of one process: nothing begins, what runs ends, and everything goes on afterwards, once."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from uuid import UUID

import psycopg
import pytest

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.runner import StepRunner
from orchestrator.engine.sweep import Sweep
from orchestrator.errors import ConflictError, EnginePausedError, InvalidInputError, ProcessNotFoundError
from orchestrator.language.catalog import Catalog
from orchestrator.services.engine import EngineStatus, GlobalStatus, engine_status, set_engine_lock
from orchestrator.services.list_queries import Condition, ListQuery
from orchestrator.services.moving import migrate_process, rerun_process, skip_step
from orchestrator.services.pausing import pause_process, unpause_process
from orchestrator.services.process_views import list_processes, process_detail
from orchestrator.services.processes import abort_process, resume_process, start_process
from orchestrator.storage.database import Database, libpq_url
from orchestrator.storage.step_statements import CLAIM, step_lock_key
from tests.integration.process_world import FAULTS, LIMITS, OPERATOR, World, process_world, unknown_id


@pytest.fixture
def world(database: Database, database_url: str) -> Iterator[World]:
    with process_world(database, database_url) as made:
        yield made


@pytest.fixture
def sweep(database_url: str) -> Iterator[Sweep]:
    made = Sweep(database_url)
    yield made
    made.close()


def pause(world: World, reason: str | None = None) -> EngineStatus:
    return set_engine_lock(world.context, OPERATOR, True, reason)


def unpause(world: World) -> EngineStatus:
    return set_engine_lock(world.context, OPERATOR, False)


def begun(world: World) -> UUID:
    return start_process(world.context, OPERATOR, "plain_task").process_id


def status_of(world: World, process_id: UUID) -> str:
    return process_detail(world.context, process_id).process.last_status


def hold(url: str, world: World, process_id: UUID) -> WorkerConnection:
    """Claim its next step as a worker does, and keep it."""
    ((seq,),) = world.query("SELECT seq FROM processes WHERE process_id = :id", id=process_id)
    connection = WorkerConnection(url, "holder")
    row = connection.row(CLAIM, {"seq": seq, "key": step_lock_key(seq), "claim": unknown_id(), "worker": "holder"})
    assert row is not None
    assert row[1] == process_id
    return connection


def test_paused_nothing_starts_nor_goes_on_and_unpaused_everything_does(world: World, sweep: Sweep) -> None:
    FAULTS.append("not now")
    failed = begun(world)
    world.run()
    waiting = [begun(world), begun(world)]
    world.bell.rings.clear()

    assert pause(world, "maintenance") == EngineStatus(True, GlobalStatus.PAUSED, 0, "maintenance")
    with pytest.raises(EnginePausedError, match="maintenance"):
        begun(world)
    with pytest.raises(EnginePausedError, match="maintenance"):
        resume_process(world.context, OPERATOR, failed)
    assert [world.runner.run(seq) for (seq,) in world.query("SELECT seq FROM processes")] == [None] * 3
    world.query("UPDATE processes SET rung_at = '-infinity'")
    assert sweep.find(dict) == []

    assert unpause(world) == EngineStatus(False, GlobalStatus.RUNNING, 0, None)
    assert [ring.process_id for ring in world.bell.rings] == waiting
    assert [ring.step_key for ring in world.bell.rings] == ["start", "start"]
    world.run()
    assert [status_of(world, one) for one in waiting] == ["completed", "completed"]
    assert status_of(world, failed) == "failed"
    assert world.query(
        "SELECT actor, action, object_type, reason FROM audit WHERE object_id = 'engine' ORDER BY 1, at"
    ) == [
        ("operator", "pause", "engine", "maintenance"),
        ("operator", "unpause", "engine", None),
    ]


def test_paused_every_way_in_is_refused_with_the_reason_and_changes_nothing(world: World) -> None:
    FAULTS.append("not now")
    failed = begun(world)
    world.run()
    pages = [{"subscription_id": str(world.subscription())}]
    asking = start_process(world.context, OPERATOR, "modify_port", pages).process_id
    world.run()
    rows = "SELECT process_id, status, change_seq FROM processes ORDER BY seq"
    before = world.query(rows)
    pause(world, "maintenance")

    context = world.context
    ways: list[Callable[[], object]] = [
        lambda: begun(world),
        lambda: start_process(context, OPERATOR, "plain_task", idempotency_key="a key"),
        lambda: resume_process(context, OPERATOR, failed),
        lambda: resume_process(context, OPERATOR, asking, [{"colour": "red"}]),
        lambda: skip_step(context, OPERATOR, failed, "no matter"),
        lambda: rerun_process(context, OPERATOR, failed, "start"),
        lambda: rerun_process(context, OPERATOR, asking, "start"),
        lambda: migrate_process(context, OPERATOR, failed, "start"),
    ]
    for way in ways:
        with pytest.raises(EnginePausedError, match="maintenance"):
            way()
    assert world.query(rows) == before
    # What ends things may be done.
    abort_process(context, OPERATOR, asking, release_subscription=True)
    unpause(world)
    start_process(context, OPERATOR, "plain_task", idempotency_key="a key")


def test_a_pause_twice_is_one_pause_and_may_change_its_reason(world: World) -> None:
    pause(world, "one")
    pause(world, "one")
    assert pause(world, "two").reason == "two"
    unpause(world)
    unpause(world)
    assert [row[0] for row in world.query("SELECT action FROM audit ORDER BY audit_id")] == [
        "pause",
        "pause",
        "unpause",
    ]
    with pytest.raises(InvalidInputError):
        pause(world, "x" * 5001)


def test_a_step_that_runs_makes_it_pausing_and_is_not_rung_for_again(world: World, database_url: str) -> None:
    process_id = begun(world)
    world.bell.rings.clear()
    connection = hold(database_url, world, process_id)
    try:
        assert pause(world) == EngineStatus(True, GlobalStatus.PAUSING, 1, None)
        unpause(world)
        assert world.bell.rings == []
        assert pause(world).global_status is GlobalStatus.PAUSING
    finally:
        connection.discard()


def test_paused_is_not_said_while_only_the_lock_or_only_the_token_is_left(world: World, database_url: str) -> None:
    process_id = begun(world)
    connection = hold(database_url, world, process_id)
    pause(world)
    world.query("UPDATE processes SET claim = NULL")
    assert engine_status(world.context).global_status is GlobalStatus.PAUSING
    world.query("UPDATE processes SET claim = gen_random_uuid()")
    connection.discard()
    wait_until(lambda: world.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)])
    assert engine_status(world.context) == EngineStatus(True, GlobalStatus.PAUSING, 1, None)


def test_a_worker_that_died_while_paused_is_let_go_after_a_while(world: World, sweep: Sweep, database_url: str) -> None:
    process_id = begun(world)
    world.query("UPDATE processes SET claim = gen_random_uuid(), status = 'running', claimed_at = now(), attempt = 1")
    of_before = begun(world)
    world.query(
        "UPDATE processes SET claim = gen_random_uuid(), status = 'running', attempt = 3, "
        "claimed_at = pg_postmaster_start_time() - interval '1 second' WHERE process_id = :of_before",
        of_before=of_before,
    )
    pause(world)
    sweep.find(dict)
    assert engine_status(world.context).global_status is GlobalStatus.PAUSING
    sweep.close()

    impatient = Sweep(database_url, patience=0.2)

    def let_go() -> bool:
        impatient.find(dict)
        return engine_status(world.context).global_status is GlobalStatus.PAUSED

    wait_until(let_go)
    impatient.close()
    attempts = world.query("SELECT attempt FROM processes ORDER BY seq")
    assert attempts == [(1,), (2,)], "what a restart of the server ended does not count"
    world.bell.rings.clear()
    unpause(world)
    world.run()
    assert [status_of(world, one) for one in (process_id, of_before)] == ["completed", "completed"]


def test_a_timer_that_comes_due_waits_for_the_end_of_a_pause(world: World, sweep: Sweep) -> None:
    process_id = begun(world)
    world.query("UPDATE processes SET status = 'waiting', waiting_for = 'retry', due_at = now() - interval '1 minute'")
    pause(world)
    assert sweep.find(dict) == []
    assert status_of(world, process_id) == "waiting"
    unpause(world)
    pause_process(world.context, OPERATOR, process_id)
    assert sweep.find(dict) == []
    assert status_of(world, process_id) == "waiting"
    unpause_process(world.context, OPERATOR, process_id)
    assert [ring.process_id for ring in sweep.find(dict)] == [process_id]


def test_more_processes_than_one_batch_are_all_rung_for(world: World) -> None:
    begun(world)
    world.query(
        "INSERT INTO processes (process_id, workflow_id, version_id, target, step_key, created_by) SELECT "
        "gen_random_uuid(), workflow_id, version_id, target, step_key, 'tests' FROM processes, generate_series(1, 1100)"
    )
    world.bell.rings.clear()
    pause(world)
    unpause(world)
    rung = [ring.seq for ring in world.bell.rings]
    assert rung == sorted(seq for (seq,) in world.query("SELECT seq FROM processes"))
    assert len(rung) == 1101


def test_of_very_many_processes_the_clock_rings_for_those_that_the_end_of_a_pause_leaves_to_it(
    world: World, sweep: Sweep
) -> None:
    begun(world)
    world.query(
        "INSERT INTO processes (process_id, workflow_id, version_id, target, step_key, created_by, rung_at) SELECT "
        "gen_random_uuid(), workflow_id, version_id, target, step_key, 'tests', 'epoch' "
        "FROM processes, generate_series(1, 2599)"
    )
    pause(world)
    world.bell.rings.clear()
    unpause(world)
    rung = [ring.seq for ring in world.bell.rings]
    assert len(rung) == 2000
    by_the_clock = [ring.seq for ring in sweep.find(lambda: {"": len(rung)})]
    assert sorted(rung + by_the_clock) == sorted(seq for (seq,) in world.query("SELECT seq FROM processes"))


@pytest.mark.parametrize("of_the_engine", [True, False])
def test_the_time_of_a_pause_does_not_count_as_waiting_for_code(
    world: World, database_url: str, of_the_engine: bool
) -> None:
    process_id = begun(world)
    ((seq,),) = world.query("SELECT seq FROM processes")
    connection = WorkerConnection(database_url, "without code")
    without_code = StepRunner(connection, Catalog(), LIMITS)
    assert without_code.run(seq) is None, "it waits for its code"
    if of_the_engine:
        pause(world)
    else:
        pause_process(world.context, OPERATOR, process_id)
    world.query("UPDATE processes SET waiting_since = waiting_since - interval '2 minutes'")
    if of_the_engine:
        unpause(world)
    else:
        unpause_process(world.context, OPERATOR, process_id)

    assert without_code.run(seq) is None
    assert status_of(world, process_id) == "running"

    for column in ("processes SET waiting_since = waiting_since", "engine_settings SET changed_at = changed_at"):
        world.query(f"UPDATE {column} - interval '2 minutes'")
    assert without_code.run(seq) is not None
    assert status_of(world, process_id) == "failed"
    connection.discard()


def test_pauses_under_load_lose_and_repeat_no_step(world: World, database_url: str) -> None:
    started = [begun(world) for _ in range(30)]
    stop = threading.Event()

    def switch() -> None:
        while not stop.is_set():
            pause(world)
            time.sleep(0.02)
            unpause(world)
            time.sleep(0.02)

    switching = threading.Thread(target=switch)
    switching.start()
    try:
        deadline = time.monotonic() + 30
        while any(status_of(world, one) != "completed" for one in started) and time.monotonic() < deadline:
            world.run()
    finally:
        stop.set()
        switching.join()
    assert world.query("SELECT status, count(*) FROM processes GROUP BY 1") == [("completed", 30)]
    assert world.query("SELECT count(*), count(DISTINCT (process_seq, position)) FROM process_steps") == [(90, 90)]


def test_one_process_is_paused_and_goes_on(world: World) -> None:
    process_id, other = begun(world), begun(world)
    pause_process(world.context, OPERATOR, process_id, "look first", request_id="r1")
    world.run()
    assert (status_of(world, process_id), status_of(world, other)) == ("created", "completed")
    assert process_detail(world.context, process_id).process.paused
    listed = list_processes(world.context, ListQuery(conditions=(Condition("paused", "true"),)))
    assert [one.process_id for one in listed.items] == [process_id]
    with pytest.raises(ConflictError, match="paused already"):
        pause_process(world.context, OPERATOR, process_id)

    unpause_process(world.context, OPERATOR, process_id)
    with pytest.raises(ConflictError, match="not paused"):
        unpause_process(world.context, OPERATOR, process_id)
    world.run()
    assert status_of(world, process_id) == "completed"
    for act in (pause_process, unpause_process):
        with pytest.raises(ConflictError, match="completed"):
            act(world.context, OPERATOR, process_id)
        with pytest.raises(ProcessNotFoundError):
            act(world.context, OPERATOR, unknown_id())
    assert world.query(
        "SELECT action, reason, request_id FROM audit WHERE process_id = :id ORDER BY audit_id", id=process_id
    ) == [("start", None, None), ("pause", "look first", "r1"), ("unpause", None, None)]


def test_a_paused_process_is_not_resumed_and_can_be_aborted(world: World) -> None:
    FAULTS.append("fails")
    process_id = begun(world)
    world.run()
    pause_process(world.context, OPERATOR, process_id)
    with pytest.raises(ConflictError, match="paused"):
        resume_process(world.context, OPERATOR, process_id)
    abort_process(world.context, OPERATOR, process_id)
    assert not process_detail(world.context, process_id).process.paused


def test_a_step_that_runs_when_its_process_is_paused_ends_and_no_other_begins(world: World, database_url: str) -> None:
    process_id = begun(world)
    ((seq,),) = world.query("SELECT seq FROM processes")
    claimed = hold(database_url, world, process_id)
    pause_process(world.context, OPERATOR, process_id)
    claimed.discard()
    wait_until(lambda: world.query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)])
    assert world.runner.run(seq) is None
    unpause_process(world.context, OPERATOR, process_id)
    world.run()
    assert status_of(world, process_id) == "completed"


def test_a_pause_that_is_committed_between_the_two_looks_of_a_claim_is_seen(world: World, database_url: str) -> None:
    process_id = begun(world)
    ((seq,),) = world.query("SELECT seq FROM processes")
    claimed: list[object] = []

    def claim() -> None:
        claimed.append(world.runner.run(seq))

    with psycopg.connect(libpq_url(database_url)) as pausing:
        pausing.execute("UPDATE processes SET paused = true WHERE process_id = %s", [process_id])
        claiming = threading.Thread(target=claim)
        claiming.start()
        wait_until(
            lambda: world.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'transactionid'") == [(1,)]
        )
        pausing.commit()
        claiming.join(10)
    assert claimed == [None]
    assert world.query("SELECT claim, attempt FROM processes") == [(None, 0)]


def test_a_pause_of_the_engine_between_the_two_looks_of_a_claim_is_seen(world: World) -> None:
    begun(world)
    ((seq,),) = world.query("SELECT seq FROM processes")
    # It takes a moment after it has looked: the pause is committed in that of the first look.
    world.query("""
        CREATE OR REPLACE FUNCTION engine_open() RETURNS boolean VOLATILE LANGUAGE plpgsql AS $$
        DECLARE is_open boolean := (SELECT NOT paused FROM engine_settings);
        BEGIN PERFORM pg_sleep(0.5); RETURN is_open; END $$
    """)
    claimed: list[object] = []
    claiming = threading.Thread(target=lambda: claimed.append(world.runner.run(seq)))
    claiming.start()
    wait_until(lambda: world.query("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'") == [(1,)])
    world.query("UPDATE engine_settings SET paused = true")
    claiming.join(10)
    assert claimed == [None]
    assert world.query("SELECT claim, attempt FROM processes") == [(None, 0)]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
