"""Steps that do what no step should: the process fails and says why, the worker child lives on."""

from __future__ import annotations

import pytest

from tests.end_to_end.running_system import RunningSystem, row_of

pytestmark = pytest.mark.slow

REASONS = {
    "returns a set": ["'value'", "set"],
    "returns NaN": ["'value'", "nan"],
    "returns a NUL": ["'value'", "NUL"],
    "returns a lone surrogate": ["'value'", "surrogate"],
    "returns 2**70": ["'value'", "64 bits"],
    "returns 300 MB": ["'value'", "bytes"],
    "returns itself": ["'inner", "itself"],
    "returns no dict": ["str"],
    "raises with a NUL": ["a\\x00b"],
    "raises with a lone surrogate": ["a\\udcffb"],
    "raises the unspeakable": ["UnspeakableError"],
    "never stops calling itself": ["recursion"],
    "commits": ["commit"],
    "sends COMMIT": ["COMMIT"],
    "calls sys.exit": ["sys.exit(3)"],
}


def fail(system: RunningSystem, key: str, workflow: str, *pages: dict[str, str]) -> str:
    """Start a workflow whose step must fail, see that the worker child that ran it lives, and return the reason."""
    children = system.worker_children()
    process = system.wait_for(system.start(workflow, *pages), "failed")
    row = row_of(process, key)
    assert row["status"] == "failed"
    assert row["attempt"] == 1
    assert row["error"]["class"]
    child = int(row["worker"].rpartition(":")[2])
    assert child in children
    assert system.worker_children() == children
    reason: str = process["failed_reason"]
    assert reason.startswith(f"Step {row['name']!r} ({key}): ")
    return reason


@pytest.mark.parametrize(("habit", "said"), REASONS.items(), ids=[name.replace(" ", "-") for name in REASONS])
def test_a_bad_habit_fails_the_process_with_step_and_cause(system: RunningSystem, habit: str, said: list[str]) -> None:
    reason = fail(system, "do_it", "misbehave", {"habit": habit})
    for words in said:
        assert words in reason
    assert system.rows("SELECT entry FROM ledger WHERE entry = 'committed by a step'") == []


def test_a_parameter_that_nobody_gave_is_named(system: RunningSystem) -> None:
    assert "'never_given'" in fail(system, "ask_too_much", "lacks_a_parameter")


def test_the_children_that_met_all_of_this_still_work(system: RunningSystem) -> None:
    assert system.occupy_all_children() == system.worker_children()


def test_a_workflow_whose_code_is_gone_fails_with_its_name_and_version(system: RunningSystem) -> None:
    """As after a start by a server that has newer code than the workers, or a deployment that lost a workflow."""
    version = "0f" * 32
    (process,) = system.rows(
        """
        WITH version AS (
            INSERT INTO workflow_versions (workflow_name, hash, steps)
            VALUES ('never_deployed', %(hash)s, '[{"key": "only", "name": "The only step", "kind": "call",
                                                   "assignee": "SYSTEM"}]')
            RETURNING version_id
        )
        INSERT INTO processes (process_id, workflow_id, version_id, target, is_task, step_key, created_by, rung_at)
        SELECT gen_random_uuid(), workflow_id, version_id, target, is_task, 'only', 'tests', '-infinity'
        FROM workflows, version WHERE name = 'never_deployed'
        RETURNING process_id
        """,
        hash=version,
    )
    process_id = str(process["process_id"])
    failed = system.wait_for(process_id, "failed")
    for words in ("'The only step' (only)", "'never_deployed'", version[:12], "deploy"):
        assert words in failed["failed_reason"]
    refused = system.api.put(f"/api/processes/{process_id}/resume", json=[])
    assert refused.status_code == 409
    assert "never_deployed" in refused.json()["detail"]
    assert system.api.put(f"/api/processes/{process_id}/abort").status_code == 204
