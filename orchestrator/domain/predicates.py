"""Run predicates that are ready to use: `@task("...", run_predicate=no_uncompleted_instance)`.

They look at the processes that there are at this moment and lock nothing: of two starts at the same moment both may
pass.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from orchestrator.language.admission import PredicateContext, RunPredicateFail, RunPredicatePass
from orchestrator.storage.session import db

_UNCOMPLETED: Final = text("""
SELECT p.process_id, p.status FROM processes p JOIN workflows w USING (workflow_id)
WHERE w.name = :name AND p.status NOT IN ('completed', 'aborted') ORDER BY p.seq LIMIT 1
""")
_RUNNING: Final = text("""
SELECT p.process_id, p.status FROM processes p JOIN workflows w USING (workflow_id)
WHERE w.name = :name AND p.status NOT IN ('completed', 'aborted', 'failed', 'inconsistent_data', 'api_unavailable')
ORDER BY p.seq LIMIT 1
""")
_AWAITING: Final = text("SELECT EXISTS (SELECT FROM processes WHERE status = 'awaiting_callback')")

Verdict = RunPredicatePass | RunPredicateFail


def no_uncompleted_instance(context: PredicateContext) -> Verdict:
    """No process of this workflow is under way, or failed and neither resumed nor aborted."""
    row = db.session.execute(_UNCOMPLETED, {"name": context.workflow_key}).one_or_none()
    return RunPredicatePass() if row is None else _there_is(context, row.process_id, row.status)


def no_running_instance(context: PredicateContext) -> Verdict:
    """No process of this workflow is under way; one that failed does not count."""
    row = db.session.execute(_RUNNING, {"name": context.workflow_key}).one_or_none()
    return RunPredicatePass() if row is None else _there_is(context, row.process_id, row.status)


def awaiting_callbacks_exist(_: PredicateContext) -> Verdict:
    """Some process, of any workflow, awaits a callback."""
    found = db.session.execute(_AWAITING).scalar_one()
    return RunPredicatePass() if found else RunPredicateFail("no process awaits a callback")


def _there_is(context: PredicateContext, process_id: object, status: str) -> RunPredicateFail:
    return RunPredicateFail(f"another process of {context.workflow_key} is {status}: {process_id}")
