"""What the tables of an orchestrator tell of a run: how many processes ended, how fast, and how soon each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg

from bench.ground import wait_for


@dataclass(frozen=True)
class Tables:
    """`processes` and `process_steps`, which both orchestrators have, with the names that differ.

    Attributes:
        status: the column with the status of a process.
        key: that of a process' key.
        reference: that of a step which refers to it.
    """

    status: str
    key: str
    reference: str

    def now(self, url: str) -> datetime:
        """The time on the server's clock: what began later belongs to a run."""
        moment: datetime = self.value(url, "SELECT clock_timestamp()")
        return moment

    def wait_until_completed(self, url: str, count: int, since: datetime, seconds: float = 300) -> None:
        """Wait until so many processes that began since are completed."""
        with psycopg.connect(url, autocommit=True) as connection:
            statement = f"SELECT count(*) FROM processes WHERE {self.status} = 'completed' AND started_at >= %s"

            def completed() -> bool:
                row = connection.execute(statement, [since]).fetchone()
                return row is not None and row[0] >= count

            wait_for(completed, seconds, f"not {count} processes were completed", 0.1)

    def rate(self, url: str, since: datetime) -> float:
        """Steps a second, from the start of the first to the end of the last."""
        return float(
            self.value(
                url,
                "SELECT count(*) / extract(epoch FROM max(s.completed_at) - min(s.started_at))::float8 "
                f"FROM process_steps s JOIN processes p ON s.{self.reference} = p.{self.key} WHERE p.started_at >= %s",
                since,
            )
        )

    def latencies(self, url: str, since: datetime) -> list[float]:
        """Milliseconds from the row of a process to that of its last step."""
        statement = (
            "SELECT 1000 * extract(epoch FROM max(s.completed_at) - p.started_at)::float8 "
            f"FROM processes p JOIN process_steps s ON s.{self.reference} = p.{self.key} WHERE p.started_at >= %s "
            f"GROUP BY p.{self.key}, p.started_at"
        )
        with psycopg.connect(url) as connection:
            return [float(row[0]) for row in connection.execute(statement, [since]).fetchall()]

    @staticmethod
    def value(url: str, statement: str, *values: object) -> Any:
        """The one value that a statement gives."""
        with psycopg.connect(url, autocommit=True) as connection:
            row = connection.execute(statement, values).fetchone()
        assert row is not None
        return row[0]
