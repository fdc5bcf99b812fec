"""Retention keeps up: in bounded batches, by indexes, beside steps that go on, faster than new rows come."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import psycopg
import pytest

from bench.history import fill
from orchestrator.language.vocabulary import Actor
from orchestrator.services.cleaning import clean_up
from orchestrator.services.context import Context
from orchestrator.settings import Settings
from orchestrator.storage.cleaning_statements import Place, delete_old_processes
from orchestrator.storage.database import Database, libpq_url
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.growth.reading import reads_of
from tests.integration.growth.test_hot_tables import counts

CLEANER = Actor("cleaner")
PROCESSES = 6_000
HANGING = ("process_steps", "process_starts", "process_inputs", "process_subscriptions")


@pytest.fixture
def engine(database: Database, database_url: str) -> Iterator[EngineOnTest]:
    made = EngineOnTest(database, database_url)
    yield made
    made.close()


def keeping(context: Context, **settings: object) -> Context:
    """With other times for which things are kept."""
    return replace(context, settings=Settings(**{"retention_days": {}, **settings}))  # type: ignore[arg-type]


def count(url: str, table: str, condition: str = "true") -> int:
    with psycopg.connect(libpq_url(url)) as connection:
        row = connection.execute(f"SELECT count(*) FROM {table} WHERE {condition}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_what_is_old_goes_target_by_target_and_the_rest_stays(context: Context, database_url: str) -> None:
    fill(libpq_url(database_url), PROCESSES, 3)
    stay = "target = 'CREATE' OR status = 'failed' OR last_modified_at > now() - interval '15 days'"
    staying = count(database_url, "processes", stay)
    audit, changes = count(database_url, "audit"), count(database_url, "subscription_changes")

    cleaned = clean_up(keeping(context, retention_days={"VALIDATE": 15.0, "MODIFY": 15.0}), CLEANER, uuid4())

    assert 0 < cleaned.processes == PROCESSES - staying
    assert count(database_url, "processes") == count(database_url, "processes", stay) == staying
    for table in HANGING:
        assert count(database_url, table, "process_seq NOT IN (SELECT seq FROM processes)") == 0
    assert count(database_url, "process_steps") == 3 * staying
    assert count(database_url, "audit", "action = 'start'") == audit
    assert count(database_url, "subscription_changes") == changes
    # Every process that is gone is named.
    named = "SELECT sum(jsonb_array_length(before -> 'deleted')) FROM audit WHERE action = 'clean up'"
    with psycopg.connect(libpq_url(database_url)) as connection:
        assert connection.execute(named.encode()).fetchone() == (cleaned.processes,)


def test_a_batch_is_as_large_as_what_its_processes_left_behind(context: Context, database_url: str) -> None:
    fill(libpq_url(database_url), 500, 40)
    below: Place | None = None
    batches = []
    while True:
        with context.database.transaction("tests") as session:
            gone = delete_old_processes(session, "MODIFY", 1.0, below, 1_000, 400)
        if not gone:
            break
        below = gone[-1].place
        batches.append(len(gone))

    # 41 changes each: ten of them and the one that begins below the bound.
    assert set(batches[:-1]) == {10}
    assert sum(batches) > 100
    assert count(database_url, "processes", "target = 'MODIFY' AND status = 'completed'") == count(
        database_url,
        "processes",
        "target = 'MODIFY' AND status = 'completed' AND started_at > now() - interval '1 day'",
    )


def test_a_batch_reads_what_it_deletes(context: Context, database_url: str) -> None:
    fill(libpq_url(database_url), 20_000)

    def look(days: float) -> None:
        with context.database.transaction("tests") as session:
            delete_old_processes(session, "VALIDATE", days, None, 100, 10_000)
            session.rollback()

    look(29.0)
    for days in (29.0, 40.0):
        reads = reads_of(context.database.engine, lambda days=days: look(days))  # type: ignore[misc]
        deletes = [read for read in reads if "DELETE FROM processes" in read.statement]
        assert deletes
        assert all(read.rows <= 300 for read in deletes), deletes


def test_audit_changes_and_keys_go_when_the_settings_say_so(context: Context, database_url: str) -> None:
    fill(libpq_url(database_url), 2_000)
    with psycopg.connect(libpq_url(database_url)) as connection:
        connection.execute(
            "INSERT INTO idempotency_keys (actor, key, request_hash, answer, expires_at) "
            "SELECT 'somebody', 'key ' || n, '', '{}', now() + (n - 1200) * interval '1 minute' "
            "FROM generate_series(1, 1500) AS n"
        )
    untouched = clean_up(keeping(context), CLEANER, uuid4())
    assert (untouched.processes, untouched.audit_entries, untouched.changes) == (0, 0, 0)
    assert untouched.idempotency_keys == 1_200
    assert (
        count(database_url, "idempotency_keys") == count(database_url, "idempotency_keys", "expires_at > now()") == 300
    )

    cleaned = clean_up(keeping(context, audit_days=10.0, change_days=20.0), CLEANER, uuid4())
    assert cleaned.audit_entries > 1_200
    assert count(database_url, "audit", "at < now() - interval '10 days'") == 0
    assert count(database_url, "audit") == 2_000 - cleaned.audit_entries
    assert cleaned.changes > 300
    assert count(database_url, "subscription_changes", "changed_at < now() - interval '20 days'") == 0


@pytest.mark.filterwarnings("ignore::orchestrator.language.supply.UnsuppliedParameterWarning")
def test_more_is_deleted_than_comes_in_while_steps_go_on(
    context: Context, engine: EngineOnTest, database_url: str
) -> None:
    fill(libpq_url(database_url), PROCESSES, 10)
    stop, ended = threading.Event(), []

    def work() -> None:
        runner = engine.runner()
        while not stop.is_set():
            seq = engine.start(counts)
            reports = engine.run(seq, runner)
            assert reports[-1].status == "completed"
            ended.append(seq)

    worker = threading.Thread(target=work)
    worker.start()
    began = time.monotonic()
    try:
        cleaned = clean_up(keeping(context, retention_days={"VALIDATE": 1.0, "MODIFY": 1.0}), CLEANER, uuid4())
    finally:
        took = time.monotonic() - began
        stop.set()
        worker.join(30)

    assert cleaned.processes > PROCESSES / 2
    assert ended, "nothing came in meanwhile"
    assert cleaned.processes / took > 3 * len(ended) / took
    assert all(engine.process(seq).status == "completed" for seq in ended)
