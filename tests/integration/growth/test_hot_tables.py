"""What the tables that each step writes are set to, and that the updates of a step stay on their page."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest

from orchestrator.language.steps import begin, step
from orchestrator.language.vocabulary import State
from orchestrator.language.workflows import task
from orchestrator.storage.database import Database, libpq_url
from tests.integration.engine.engine_on_test import EngineOnTest

PROCESSES = 30
STEPS = 10


@pytest.fixture
def engine(database: Database, database_url: str) -> Iterator[EngineOnTest]:
    made = EngineOnTest(database, database_url)
    yield made
    made.close()


def counting(number: int) -> object:
    @step(f"Count {number}", key=f"count_{number}")
    def count() -> State:
        return {"number": number}

    return count


@task("Counts to ten")
def counts() -> object:
    steps = begin
    for number in range(STEPS):
        steps = steps >> counting(number)  # type: ignore[operator]
    return steps


def test_the_updates_of_a_step_stay_on_their_page(engine: EngineOnTest, database_url: str) -> None:
    running = [engine.start(counts) for _ in range(PROCESSES)]
    runner = engine.runner()
    while running:
        # As bells come: all processes are one step on, before any is two.
        reports = [(seq, runner.run(seq)) for seq in running]
        running = [seq for seq, report in reports if report is not None and report.ring is not None]
    steps = engine.query("SELECT count(*) FROM process_steps WHERE status IN ('success', 'complete')")[0][0]
    # What a connection did is counted when it ends.
    engine.close()

    updates, hot = _counted(database_url, 2 * steps)
    assert updates == 2 * steps, "the claim and the record of each step"
    # `created` becomes `running` and `running` becomes `completed`, and the status is in an index.
    assert updates - 2 * PROCESSES - hot <= updates // 20, f"{hot} of {updates} updates were HOT"


def _counted(database_url: str, updates: int) -> tuple[int, int]:
    deadline = time.monotonic() + 10
    with psycopg.connect(libpq_url(database_url), autocommit=True) as connection:
        while True:
            row = connection.execute(
                "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'processes'"
            ).fetchone()
            assert row is not None
            if row[0] >= updates or time.monotonic() > deadline:
                return row[0], row[1]
            time.sleep(0.05)


def test_no_index_is_on_what_each_step_changes(database_url: str) -> None:
    changed = {
        "position",
        "step_key",
        "last_step",
        "claim",
        "attempt",
        "claimed_at",
        "claimed_by",
        "deadline",
        "rung_at",
        "state",
        "last_modified_at",
        "change_seq",
    }
    with psycopg.connect(libpq_url(database_url)) as connection:
        columns = {
            name
            for (name,) in connection.execute("SELECT attname FROM pg_attribute WHERE attrelid = 'processes'::regclass")
        }
        assert changed <= columns
        definitions = [
            row[0] for row in connection.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'processes'")
        ]
    assert definitions
    for definition in definitions:
        words = set(definition.replace("(", " ").replace(")", " ").replace(",", " ").split())
        assert not words & changed, definition


@pytest.mark.parametrize(
    ("table", "share"),
    [
        ("processes", "0.02"),
        *((name, "0.05") for name in ("process_steps", "process_starts", "process_inputs", "process_subscriptions")),
        *((name, "0.05") for name in ("subscriptions", "subscription_instances", "subscription_changes", "audit")),
    ],
)
def test_tables_that_grow_are_vacuumed_before_much_of_them_is_dead(database_url: str, table: str, share: str) -> None:
    with psycopg.connect(libpq_url(database_url)) as connection:
        row = connection.execute("SELECT reloptions FROM pg_class WHERE oid = %s::regclass", [table]).fetchone()
    assert row is not None
    options = dict(option.split("=") for option in row[0])
    for name in ("vacuum_scale_factor", "vacuum_insert_scale_factor", "analyze_scale_factor"):
        assert options[f"autovacuum_{name}"] == share
    assert options.get("fillfactor") == ("70" if table == "processes" else None)
