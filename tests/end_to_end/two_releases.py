"""One workflow in two releases. `ORCHESTRATOR_CATALOG=release_before` and `release_after` name them."""

from __future__ import annotations

from sqlalchemy import text

from orchestrator import Catalog, Step, StepList, Target, UUIDstr, begin, db, step, workflow

BEFORE = ("one", "two", "three", "four")
AFTER = ("one", "two", "inserted", "three", "four")


def writes(key: str) -> Step:
    """A step that writes a row that nothing makes unique."""

    @step(key.title(), key=key)
    def write(process_id: UUIDstr) -> None:
        db.session.execute(text("INSERT INTO ledger (entry) VALUES (:entry)"), {"entry": f"{process_id} {key}"})

    return write


def add_release(catalog: Catalog, keys: tuple[str, ...]) -> None:
    """Add the workflow with these steps."""

    @workflow("Grows from release to release", target=Target.SYSTEM)
    def growing() -> StepList:
        steps = begin
        for key in keys:
            steps = steps >> writes(key)
        return steps

    catalog.add_workflow(growing)
