"""What a look of the clock costs when there is much that it need not touch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from orchestrator.engine.sweep import Sweep
from orchestrator.language.steps import done, init
from orchestrator.language.workflows import workflow
from orchestrator.storage.database import libpq_url
from orchestrator.storage.late_statements import FIND_LATE
from orchestrator.storage.sweep_statements import RING_DUE, WAKE
from tests.integration.engine.engine_on_test import EngineOnTest


@workflow("Nothing to do")
def nothing_to_do() -> Any:
    return init >> done


@pytest.fixture
def sweep(engine: EngineOnTest) -> Iterator[Sweep]:
    made = Sweep(engine.url)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("statement", "conditions"),
    [
        pytest.param(WAKE, ["due_at <= statement_timestamp()"], id="timers"),
        pytest.param(RING_DUE, ["due_at <= statement_timestamp()"], id="put off"),
        pytest.param(FIND_LATE, ["due_at <= statement_timestamp()", "expires_at <= statement_timestamp()"], id="late"),
    ],
)
def test_only_what_is_due_is_read(engine: EngineOnTest, statement: Any, conditions: list[str]) -> None:
    engine.start(nothing_to_do)
    engine.query(
        "INSERT INTO processes (process_id, workflow_id, version_id, target, status, due_at, expires_at, created_by) "
        "SELECT gen_random_uuid(), workflow_id, version_id, target, its, later, later, created_by "
        "FROM processes, (SELECT now() + n * interval '1 hour' FROM generate_series(1, 300) AS n) AS sleeping (later), "
        "unnest(ARRAY['waiting', 'awaiting_callback', 'running', 'completed']) AS statuses (its)"
    )
    engine.query("ANALYZE processes")
    with psycopg.connect(libpq_url(engine.url), autocommit=True) as connection:
        plan = [row[0].strip() for row in connection.execute(f"EXPLAIN {statement}", {"most": 9}).fetchall()]
    for condition in conditions:
        assert f"Index Cond: ({condition})" in plan


def test_whether_the_engine_is_open_is_not_asked_for_each_process(engine: EngineOnTest, sweep: Sweep) -> None:
    many = 200
    for _ in range(many):
        engine.start(nothing_to_do)
    engine.query("UPDATE processes SET rung_at = now() - interval '1 minute'")
    (name,) = engine.query("SELECT current_database()")[0]
    engine.query("CREATE SCHEMA counting")
    engine.query("CREATE SEQUENCE counting.asked")
    engine.query(
        "CREATE FUNCTION counting.engine_open() RETURNS boolean VOLATILE LANGUAGE sql "
        "AS $$ SELECT nextval('counting.asked') > 0 AND public.engine_open() $$"
    )
    engine.query(f"ALTER DATABASE {name} SET search_path = counting, public")
    assert len(sweep.find(dict)) == many
    ((asked,),) = engine.query("SELECT last_value FROM counting.asked")
    assert asked < 20
