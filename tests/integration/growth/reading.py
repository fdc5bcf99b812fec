"""How many rows the statements of a use case read, as the server counts them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, event

# Of products, workflows and their versions there are few, whatever the history.
SMALL = frozenset({"products", "workflows", "workflow_versions", "engine_settings"})


@dataclass(frozen=True)
class Read:
    """What one statement read: the most rows of a table, and which table in which way."""

    statement: str
    rows: int
    how: str


def reads_of(engine: Engine, use_case: Callable[[], object]) -> list[Read]:
    """Run a use case, and explain each of its statements with the values that it had."""
    with _captured(engine) as statements:
        use_case()
    with engine.connect() as connection:
        return [
            _explained(statement, connection.exec_driver_sql(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", values))
            for statement, values in statements
            if statement.lstrip().upper().startswith(("SELECT", "WITH"))
        ]


@contextmanager
def _captured(engine: Engine) -> Iterator[list[tuple[str, Any]]]:
    found: list[tuple[str, Any]] = []

    def keep(connection: Any, cursor: Any, statement: str, values: Any, context: Any, many: bool) -> None:
        found.append((statement, values))

    event.listen(engine, "before_cursor_execute", keep)
    try:
        yield found
    finally:
        event.remove(engine, "before_cursor_execute", keep)


def _explained(statement: str, result: Any) -> Read:
    nodes = list(_nodes(result.scalar_one()[0]["Plan"]))
    most = max(nodes, default=(0, "nothing"))
    return Read(" ".join(statement.split()), *most)


def _nodes(plan: dict[str, Any]) -> Iterator[tuple[int, str]]:
    table = plan.get("Relation Name")
    if table is not None and table not in SMALL:
        each = (
            plan["Actual Rows"] + plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        )
        yield int(each * plan["Actual Loops"]), f"{plan['Node Type']} of {table} {plan.get('Index Name', '')}"
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
