"""What a run leaves behind, from the database, the lab and the journal of the steps."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx

from orchestrator.storage.step_statements import CLOCK_LOCK
from tests.chaos.attempts import Attempt, attempts_of
from tests.chaos.sight import Sight
from tests.chaos.storm import Strike, read_journal
from tests.integration.told_states import TOLD, told_state

Row = Mapping[str, Any]

_LOCKS = """
SELECT to_jsonb(l) FROM pg_locks l
WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) <> %(clock)s
"""
# With the state as it is read: kept in two parts, or told by the steps of a process that has ended.
_PROCESSES = f"""
SELECT jsonb_build_array(to_jsonb(p) - 'recent' || jsonb_build_object('state', state || recent), {TOLD})
FROM processes p ORDER BY seq
"""
# A web server or a clock may be in the middle of something at this moment.
_OPEN_TRANSACTIONS = """
SELECT to_jsonb(a) - 'backend_xid' - 'backend_xmin' FROM pg_stat_activity a
WHERE xact_start < clock_timestamp() - interval '1 second' AND datname = current_database()
  AND backend_type = 'client backend' AND pid <> pg_backend_pid()
"""


@dataclass(frozen=True)
class Evidence:
    """All that the verdict looks at. Rows are those of the tables as JSON."""

    planned: int
    answered: Mapping[int, UUID]
    processes: Sequence[Row]
    step_rows: Sequence[Row]
    ledger: Mapping[tuple[int, str], int]
    engine: Sequence[Row]
    locks: Sequence[Row]
    open_transactions: Sequence[Row]
    effects: Mapping[str, int]
    calls: Mapping[str, int]
    attempts: Mapping[str, Sequence[Attempt]]
    strikes: Sequence[Strike]

    @property
    def extra_attempts(self) -> int:
        """How many attempts were not the first of their step."""
        return sum(len(those) - 1 for those in self.attempts.values())

    @property
    def most_attempts(self) -> int:
        """How often the step that was tried most often began."""
        return max((len(those) for those in self.attempts.values()), default=0)

    def keep(self, folder: Path) -> None:
        """Write down what the tables say, for whoever looks for the cause of a violation."""
        for name, rows in (("processes", self.processes), ("process_steps", self.step_rows)):
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def gather(
    sight: Sight, lab_url: str, folder: Path, planned: int, answered: Mapping[int, UUID], strikes: Sequence[Strike]
) -> Evidence:
    """Look at everything.

    Args:
        sight: looks at the database.
        lab_url: where the lab is.
        folder: where the steps left their journal.
        planned: how many processes there should be.
        answered: the ids that the API gave them, by their numbers.
        strikes: what was done.
    """

    def table(statement: str, **values: Any) -> list[Any]:
        rows = sight.rows(statement, **values)
        if rows is None:
            raise ConnectionError("the database does not answer")
        return [row for (row,) in rows]

    with httpx.Client(base_url=lab_url, timeout=30) as lab:
        effects, calls = (lab.get(f"/lab/{what}").json() for what in ("effects", "calls"))
    ledger = table("SELECT jsonb_build_array(number, step, count(*)) FROM ledger GROUP BY number, step")
    return Evidence(
        planned=planned,
        answered=dict(answered),
        processes=[{**row, "state": row["state"] or told_state(*told)} for row, *told in table(_PROCESSES)],
        step_rows=table("SELECT to_jsonb(s) FROM process_steps s ORDER BY step_id"),
        ledger={(number, step): count for number, step, count in ledger},
        engine=table("SELECT to_jsonb(e) FROM engine_settings e"),
        locks=table(_LOCKS, clock=CLOCK_LOCK),
        open_transactions=table(_OPEN_TRANSACTIONS),
        effects=Counter(each["object"] for each in effects),
        calls=Counter(each["key"] for each in calls),
        attempts=attempts_of(read_journal(folder)),
        strikes=list(strikes),
    )
