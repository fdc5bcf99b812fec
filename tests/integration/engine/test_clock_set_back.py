"""The clock of the database's machine is set back by an hour: nobody waits until it is as late as before again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from orchestrator.engine.claims import claim_step
from orchestrator.engine.sweep import Sweep
from orchestrator.language.steps import done, init
from orchestrator.language.workflows import workflow
from tests.integration.engine.engine_on_test import EngineOnTest


@workflow("Nothing to do")
def nothing_to_do() -> Any:
    return init >> done


@pytest.fixture
def sweep(engine: EngineOnTest) -> Iterator[Sweep]:
    """A clock that is started after the change of time."""
    made = Sweep(engine.url)
    yield made
    made.close()


def set_back(engine: EngineOnTest) -> None:
    """Let connections made from now on see an earlier time."""
    (name,) = engine.query("SELECT current_database()")[0]
    engine.query("CREATE SCHEMA earlier")
    engine.query(
        "CREATE FUNCTION earlier.clock_timestamp() RETURNS timestamptz VOLATILE LANGUAGE sql "
        "AS $$ SELECT pg_catalog.clock_timestamp() - interval '1 hour' $$"
    )
    engine.query(f"ALTER DATABASE {name} SET search_path = earlier, pg_catalog, public")


def rung(sweep: Sweep) -> list[int]:
    return [ring.seq for ring in sweep.find(dict)]


def test_a_process_without_a_bell_is_rung_for(engine: EngineOnTest, sweep: Sweep) -> None:
    seq = engine.start(nothing_to_do)
    set_back(engine)
    assert rung(sweep) == [seq]
    assert rung(sweep) == []


@pytest.mark.parametrize("claimed", ["before", "after"])
def test_a_claim_whose_worker_died_is_rung_for_taken_and_counted(
    engine: EngineOnTest, sweep: Sweep, claimed: str
) -> None:
    seq = engine.start(nothing_to_do)
    set_back(engine)
    ago = "0" if claimed == "before" else "3590"
    engine.query(
        "UPDATE processes SET claim = %(claim)s, status = 'running', attempt = 1, "
        "claimed_at = now() - %(ago)s::int * interval '1 second', rung_at = now() - interval '1 second'",
        claim=uuid4(),
        ago=ago,
    )
    assert rung(sweep) == [seq]
    claim = claim_step(engine.connection(), seq)
    assert claim is not None
    assert claim.attempt == 2


def test_a_leader_that_has_been_silent_since_before_the_change_loses_the_lead(
    engine: EngineOnTest, sweep: Sweep
) -> None:
    frozen = Sweep(engine.url)
    frozen.find(dict)
    set_back(engine)
    sweep.find(dict)
    assert sweep.leads
    frozen.close()
