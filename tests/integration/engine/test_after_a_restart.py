"""The first seconds after a restart of the database: workers that have a result in hand come back first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from orchestrator.engine.claims import claim_step
from orchestrator.engine.sweep import Sweep
from orchestrator.language.steps import done, init
from orchestrator.language.workflows import workflow
from tests.integration.engine.engine_on_test import EngineOnTest

StartedAgo = Callable[[int], None]


@workflow("Nothing to do")
def nothing_to_do() -> Any:
    return init >> done


@pytest.fixture
def started_ago(engine: EngineOnTest) -> StartedAgo:
    """Lets the server tell connections made from now on that it started so many seconds ago."""
    (name,) = engine.query("SELECT current_database()")[0]
    engine.query("CREATE SCHEMA just_restarted")
    engine.query(f"ALTER DATABASE {name} SET search_path = just_restarted, pg_catalog, public")

    def tell(seconds: int) -> None:
        engine.query(
            "CREATE OR REPLACE FUNCTION just_restarted.pg_postmaster_start_time() RETURNS timestamptz STABLE "
            f"LANGUAGE sql AS $$ SELECT clock_timestamp() - interval '{seconds} seconds' $$"
        )

    return tell


def claimed_ago(engine: EngineOnTest, seconds: int) -> int:
    """A process whose claim was taken so long ago by a worker that holds no lock any more."""
    seq = engine.start(nothing_to_do)
    values = f"claim = gen_random_uuid(), status = 'running', claimed_at = now() - interval '{seconds} seconds'"
    engine.query(f"UPDATE processes SET {values}, rung_at = now() - interval '1 hour' WHERE seq = {seq}")
    return seq


@pytest.mark.parametrize(
    ("started", "claimed", "may_be_taken"),
    [(3, 60, False), (30, 60, True), (5, 2, True)],
    ids=["claimed before the restart just now", "the restart is long past", "claimed after the restart"],
)
def test_what_was_claimed_before_a_restart_is_left_alone_for_a_while(
    engine: EngineOnTest, started_ago: StartedAgo, started: int, claimed: int, may_be_taken: bool
) -> None:
    seq = claimed_ago(engine, claimed)
    started_ago(started)
    sweep = Sweep(engine.url)
    rung = [ring.seq for ring in sweep.find(dict)]
    sweep.close()
    assert rung == ([seq] if may_be_taken else [])
    assert (claim_step(engine.connection(), seq) is not None) == may_be_taken


def test_what_nobody_had_claimed_is_taken_at_once_after_a_restart(
    engine: EngineOnTest, started_ago: StartedAgo
) -> None:
    seq = engine.start(nothing_to_do)
    started_ago(1)
    assert claim_step(engine.connection(), seq) is not None
