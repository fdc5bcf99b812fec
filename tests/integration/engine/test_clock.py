"""Who leads of several clocks."""

from __future__ import annotations

import time
from typing import LiteralString

import psycopg
import pytest

from orchestrator.engine import sweep
from orchestrator.engine.sweep import Sweep
from tests.integration.engine.engine_on_test import EngineOnTest


@pytest.mark.parametrize("last_words", ["SELECT 1", "BEGIN"])
def test_a_leader_that_is_silent_for_too_long_loses_the_lead(
    engine: EngineOnTest, monkeypatch: pytest.MonkeyPatch, last_words: LiteralString
) -> None:
    monkeypatch.setattr(sweep, "_SILENCE_SECONDS", 1.0)
    frozen, standby = Sweep(engine.url), Sweep(engine.url)
    frozen.find(dict)
    assert standby.find(dict) == []
    assert frozen.find(dict) == []
    assert (frozen.leads, standby.leads) == (True, False), "a leader that works keeps the lead"

    assert frozen._connection is not None
    frozen._connection.execute(last_words)
    time.sleep(1.1)
    standby.find(dict)
    assert standby.leads
    with pytest.raises(psycopg.OperationalError):
        frozen.find(dict)
    frozen.find(dict)
    assert (frozen.leads, standby.leads) == (False, True)
    frozen.close()
    standby.close()


def test_a_leader_that_is_frozen_in_the_middle_of_an_answer_loses_the_lead(
    engine: EngineOnTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_SILENCE_SECONDS", 1.0)
    frozen, standby = Sweep(engine.url), Sweep(engine.url)
    frozen.find(dict)
    assert frozen._connection is not None
    frozen._connection.pgconn.send_query(b"SELECT repeat('x', 1000) FROM generate_series(1, 200000)")
    time.sleep(1.5)
    assert engine.query("SELECT state FROM pg_stat_activity WHERE wait_event = 'ClientWrite'") == [("active",)]
    standby.find(dict)
    assert standby.leads
    frozen.close()
    standby.close()


def test_a_leader_that_is_busy_with_the_broker_keeps_the_lead(
    engine: EngineOnTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_SILENCE_SECONDS", 1.0)
    busy, standby = Sweep(engine.url), Sweep(engine.url)
    busy.find(dict)
    time.sleep(0.7)
    busy.keep_lead()
    time.sleep(0.7)
    standby.find(dict)
    assert (busy.leads, standby.leads) == (True, False)
    busy.close()
    standby.close()
