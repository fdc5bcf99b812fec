"""How many rows the statements of a use case read, as the server counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from tests.integration.statements import given_to_driver

# Of products, workflows and their versions there are few, whatever the history.
SMALL = frozenset({"products", "workflows", "workflow_versions", "engine_settings"})


@dataclass(frozen=True)
class Read:
    """What one statement, or one common table expression of it, read: the most rows of a table, and how."""

    statement: str
    rows: int
    how: str


def reads_of(engine: Engine, use_case: Callable[[], object]) -> list[Read]:
    """Run a use case, and explain each of its statements with the values that it had."""
    with given_to_driver(engine) as statements:
        use_case()
    with engine.connect() as connection:
        return [
            read
            for statement, values in statements
            if statement.lstrip().upper().startswith(("SELECT", "WITH"))
            for read in _explained(
                statement, connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values)
            )
        ]


def _explained(statement: str, result: Any) -> Iterator[Read]:
    plans = [(" ".join(statement.split()), result.scalar_one()[0]["Plan"])]
    for title, plan in plans:
        plans.extend((one["Subplan Name"], one) for one in _expressions(plan))
        yield Read(title, *max(_nodes(plan), default=(0, "nothing")))


def _expressions(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The common table expressions of a plan, but for those within others."""
    for child in plan.get("Plans", ()):
        if child.get("Subplan Name", "").startswith("CTE "):
            yield child
        else:
            yield from _expressions(child)


def _nodes(plan: dict[str, Any]) -> Iterator[tuple[int, str]]:
    table = plan.get("Relation Name")
    if table is not None and table not in SMALL:
        each = (
            plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        )
        yield int(each * plan["Actual Loops"]), f"{plan['Node Type']} of {table} {plan.get('Index Name', '')}"
    for child in plan.get("Plans", ()):
        if not child.get("Subplan Name", "").startswith("CTE "):
            yield from _nodes(child)
