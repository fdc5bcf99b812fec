"""Many at once, and two who want the same thing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

import httpx
import pytest

from tests.end_to_end.running_system import RunningSystem, done, wait_until

T = TypeVar("T")


def at_once(count: int, action: Callable[[], T]) -> list[T]:
    """Do something in so many threads that begin together."""
    barrier = Barrier(count)

    def begin(_: int) -> T:
        barrier.wait(10)
        return action()

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def test_100_workflows_started_at_once_all_complete_with_each_step_recorded_once(system: RunningSystem) -> None:
    assert len(system.worker_children()) == 2
    with ThreadPoolExecutor(16) as pool:
        started = set(pool.map(lambda _: system.start("ten_steps"), range(100)))
    assert len(started) == 100

    def counts() -> dict[str, int]:
        found = system.rows(
            "SELECT status, count(*) FROM processes WHERE process_id = ANY(%(ids)s::uuid[]) GROUP BY status",
            ids=list(started),
        )
        return {row["status"]: row["count"] for row in found}

    wait_until(lambda: counts() == {"completed": 100}, lambda: str(counts()), 90)
    steps = system.rows(
        """
        SELECT key, count(*) AS rows, count(DISTINCT process_seq) AS processes, max(s.attempt) AS attempts
        FROM process_steps s JOIN processes ON seq = process_seq
        WHERE process_id = ANY(%(ids)s::uuid[]) GROUP BY s.position, key ORDER BY s.position
        """,
        ids=list(started),
    )
    assert [step["key"] for step in steps] == ["start", *(f"step_{number}" for number in range(1, 11)), "done"]
    assert {(step["rows"], step["processes"], step["attempts"]) for step in steps} == {(100, 100, 1)}
    states = system.rows(
        "SELECT DISTINCT state -> 'counted' AS counted FROM processes WHERE process_id = ANY(%(ids)s::uuid[])",
        ids=list(started),
    )
    assert states == [{"counted": 10}]


def test_of_two_resumes_at_the_same_moment_one_succeeds_and_the_step_runs_once(system: RunningSystem) -> None:
    for _ in range(10):
        gate = system.new_gate()
        process_id = system.start("fail_until_open", {"gate": gate.name})
        system.wait_for(process_id, "failed")
        visits = len(gate.visits())
        gate.open()

        answers = at_once(2, lambda path=f"/api/processes/{process_id}/resume": system.api.put(path, json=[]))

        assert sorted(answer.status_code for answer in answers) == [204, 409]
        refused = next(answer for answer in answers if answer.status_code == 409)
        assert process_id in refused.json()["detail"]
        ended = system.wait_for(process_id, "completed")
        assert len(gate.visits()) == visits + 1
        assert Counter(done(ended)) == Counter(["start", "step_1", "fail_at_closed_gate", "step_2", "done"])
        assert system.rows("SELECT entry FROM ledger WHERE entry = %(gate)s", gate=gate.name) == [{"entry": gate.name}]


def test_of_two_answers_to_one_form_at_the_same_moment_one_is_taken(system: RunningSystem) -> None:
    process_id = system.start("ask_for_colour")
    system.wait_for(process_id, "suspended")
    colours = iter(["red", "green"])

    answers = at_once(
        2, lambda: system.api.put(f"/api/processes/{process_id}/resume", json=[{"colour": next(colours)}])
    )

    assert sorted(answer.status_code for answer in answers) == [204, 409]
    ended = system.wait_for(process_id, "completed")
    assert done(ended).count("colour_form") == 1


def test_20_starts_with_one_idempotency_key_make_one_process(system: RunningSystem) -> None:
    gate = system.new_gate()
    key = f"key-{gate.name}"

    answers = at_once(20, lambda: system.post("fail_until_open", {"gate": gate.name}, key=key))

    assert {answer.status_code for answer in answers} == {201}
    (process_id,) = {answer.json()["id"] for answer in answers}
    found = system.rows("SELECT process_id FROM processes WHERE state ->> 'gate' = %(gate)s", gate=gate.name)
    assert [str(row["process_id"]) for row in found] == [process_id]
    gate.open()
    assert system.wait_for(process_id, "completed", "failed")


def test_the_same_key_and_body_get_the_same_answer_and_another_body_is_refused(system: RunningSystem) -> None:
    gate, other = system.new_gate(), system.new_gate()
    gate.open()
    first = system.post("fail_until_open", {"gate": gate.name}, key=gate.name)
    system.wait_for(first.json()["id"], "completed")
    second = system.post("fail_until_open", {"gate": gate.name}, key=gate.name)
    assert (second.status_code, second.json()) == (201, first.json())
    refused = system.post("fail_until_open", {"gate": other.name}, key=gate.name)
    assert refused.status_code == 422
    assert gate.name in refused.json()["detail"]
    elsewhere = system.post("write_ledger", {"gate": gate.name}, key=gate.name)
    assert elsewhere.status_code == 422


@pytest.fixture
def thing(system: RunningSystem) -> str:
    """A subscription that is active and in sync."""
    return system.new_thing()


def test_of_five_workflows_that_want_one_subscription_exactly_one_takes_it(system: RunningSystem, thing: str) -> None:
    gate = system.new_gate()
    pages = [{"subscription_id": thing}, {"gate": gate.name, "colour": "blue"}]

    answers: list[httpx.Response] = at_once(5, lambda: system.post("modify_thing", *pages))

    assert {answer.status_code for answer in answers} <= {201, 400}
    for refused in (answer for answer in answers if answer.status_code == 400):
        assert "subscription.not_in_sync" in refused.json()["detail"]
    started = [str(answer.json()["id"]) for answer in answers if answer.status_code == 201]
    gate.wait_for_visits(1)

    def losers() -> list[str]:
        return [process_id for process_id in started if system.show(process_id)["last_status"] == "failed"]

    wait_until(lambda: len(losers()) == len(started) - 1, lambda: f"{len(losers())} of {len(started)} failed")
    (winner,) = set(started) - set(losers())
    for loser in losers():
        reason = system.show(loser)["failed_reason"]
        assert "(unsync)" in reason
        assert winner in reason
    gate.open()
    system.wait_for(winner, "completed")
    assert len(gate.visits()) == 1
    # Who was too late may still have his turn, one after the other.
    for loser in losers():
        system.resume(loser)
        system.wait_for(loser, "completed")
    found = system.api.get(f"/api/subscriptions/domain-model/{thing}").json()
    assert (found["insync"], found["thing"]["colour"]) == (True, "blue")
