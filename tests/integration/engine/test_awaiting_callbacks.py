"""While a process awaits a callback: time limits, pauses, aborts, progress; and what goes around its steps."""

from __future__ import annotations

import threading

import pytest

from orchestrator.engine.connection import WorkerConnection
from orchestrator.engine.sweep import Sweep
from orchestrator.errors import ConflictError, EnginePausedError
from orchestrator.language.steps import conditional, focussteps
from orchestrator.services.processes import abort_process
from tests.integration.engine.engine_on_test import EngineOnTest
from tests.integration.engine.outside_system import OUTSIDE, Outside, asking, statuses


def test_nobody_calls_back_in_time(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside, timeout=0.1))
    sweep = Sweep(engine.url)
    engine.run(seq)
    assert engine.process(seq).due_at is not None
    threading.Event().wait(0.15)
    assert sweep.find(dict) == []

    failed = engine.process(seq)
    reason = "no callback came within the time limit of 0.1 seconds"
    assert (failed.status, failed.due_at) == ("failed", None)
    assert failed.failed_reason == f"Step 'Await callback' (order_it.await_callback): {reason}"
    last = engine.steps(seq)[-1]
    assert (last.key, last.status, last.error) == (
        "order_it.await_callback",
        "failed",
        {"class": "CallbackTimeLimitError", "error": reason, "traceback": ""},
    )
    with pytest.raises(ConflictError, match="failed"):
        outside.call_back(seq, {"number": 1})

    outside.resume(seq)
    engine.run(seq)
    assert engine.process(seq).status == "awaiting_callback"
    outside.call_back(seq, {"number": 2})
    engine.run(seq)
    assert engine.process(seq).state["seen"] == 2
    sweep.close()


def test_the_time_limit_does_not_strike_while_anything_is_paused(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside, timeout=0.01))
    sweep = Sweep(engine.url)
    engine.run(seq)
    threading.Event().wait(0.05)
    engine.change(seq, paused=True)
    sweep.find(dict)
    engine.change(seq, paused=False)
    engine.query("UPDATE engine_settings SET paused = true")
    sweep.find(dict)
    assert engine.process(seq).status == "awaiting_callback"
    engine.query("UPDATE engine_settings SET paused = false")
    sweep.find(dict)
    assert engine.process(seq).status == "failed"
    sweep.close()


def test_a_callback_that_comes_before_a_lost_record_of_the_wait_is_made_good_is_not_waited_for(
    engine: EngineOnTest, outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    seq = engine.start(asking(outside))
    commit, lost = WorkerConnection.commit, []

    def lose_the_wait(self: WorkerConnection) -> None:
        if not lost and engine.process(seq).step_key == "order_it.await_callback":
            lost.append(self.name)
            engine.query(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = %(name)s",
                name=self.name,
            )
            outside.call_back(seq, {"number": 4})
        commit(self)

    monkeypatch.setattr(WorkerConnection, "commit", lose_the_wait)
    runner = engine.runner()
    engine.run(seq, runner)
    assert (len(lost), engine.process(seq).status) == (1, "running")
    engine.run(seq, runner)
    assert (engine.process(seq).status, engine.process(seq).state["seen"]) == ("completed", 4)


def test_a_paused_engine_takes_no_callback_and_a_paused_process_keeps_it(
    engine: EngineOnTest, outside: Outside
) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    engine.query("UPDATE engine_settings SET paused = true, reason = 'repairs'")
    with pytest.raises(EnginePausedError, match="repairs"):
        outside.call_back(seq, {"number": 1})
    engine.query("UPDATE engine_settings SET paused = false")

    engine.change(seq, paused=True)
    outside.call_back(seq, {"number": 2})
    assert outside.bell.rings == []
    assert engine.run(seq) == []
    engine.change(seq, paused=False)
    engine.run(seq)
    assert engine.process(seq).state["seen"] == 2


def test_an_aborted_process_takes_no_callback(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    abort_process(outside.context, OUTSIDE, engine.process(seq).process_id)
    with pytest.raises(ConflictError, match="aborted"):
        outside.call_back(seq, {"number": 1})


def test_a_process_that_awaits_a_callback_cannot_be_resumed_by_hand(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    with pytest.raises(ConflictError, match="awaiting_callback"):
        outside.resume(seq)


def test_progress_is_shown_until_the_callback_comes(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside))
    engine.run(seq)
    assert outside.progress(seq) is None
    outside.tell(seq, {"percent": 10})
    assert outside.progress(seq) == {"percent": 10}
    outside.tell(seq, "nearly there")
    assert outside.progress(seq) == "nearly there"
    outside.call_back(seq, {"number": 1})
    assert outside.progress(seq) is None


def test_a_lens_goes_around_all_three_steps(engine: EngineOnTest, outside: Outside) -> None:
    seq = engine.start(asking(outside, around=focussteps("part")), {"part": {"kept": 1}})
    engine.run(seq)
    outside.call_back(seq, {"number": 3})
    engine.run(seq)
    part = {"kept": 1, "asked": True, "callback_result": {"number": 3}, "seen": 3}
    assert engine.process(seq).state == {"part": part}


def test_a_condition_that_does_not_hold_skips_all_three_steps(engine: EngineOnTest, outside: Outside) -> None:
    skipped = engine.start(asking(outside, around=conditional(lambda state: False)))
    engine.run(skipped)
    assert engine.process(skipped).status == "completed"
    assert [status for _, status in statuses(engine, skipped)] == ["skipped", "skipped", "skipped", "complete"]
