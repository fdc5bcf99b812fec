"""Who leads of several clocks."""

from __future__ import annotations

import time

import psycopg
import pytest

from orchestrator.engine import sweep
from orchestrator.engine.sweep import Sweep
from tests.integration.engine.engine_on_test import EngineOnTest


def test_a_leader_that_is_silent_for_too_long_loses_the_lead(
    engine: EngineOnTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sweep, "_SILENCE_SECONDS", 1.0)
    frozen, standby = Sweep(engine.url), Sweep(engine.url)
    frozen.find(dict)
    assert standby.find(dict) == []
    assert frozen.find(dict) == []
    assert (frozen.leads, standby.leads) == (True, False), "a leader that works keeps the lead"

    time.sleep(1.1)
    standby.find(dict)
    time.sleep(0.1)
    standby.find(dict)
    assert standby.leads
    with pytest.raises(psycopg.OperationalError):
        frozen.find(dict)
    frozen.find(dict)
    assert (frozen.leads, standby.leads) == (False, True)
    frozen.close()
    standby.close()
