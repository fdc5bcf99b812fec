"""`python -m bench.costs`: what a step and a start cost each of the parts; docs/scaling.md computes from that."""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, LiteralString

import click
import psycopg
import redis

from bench import history
from bench.contenders.ours import Ours
from bench.contenders.tabled import TRIVIAL, Tabled
from bench.ground import Ground, ground
from orchestrator.embedded.child_processes import children_of

_STEPS: Final = 10
# The totals of the server, and the rows and bytes that a process leaves behind.
_COUNTERS: Final[LiteralString] = """
SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn AS "WAL bytes", d.xact_commit::float8 AS "commits",
       (SELECT coalesce(sum(fsyncs), 0)::float8 FROM pg_stat_io WHERE object = 'wal') AS "WAL syncs",
       (SELECT coalesce(max(step_id), 0)::float8 FROM process_steps) AS "steps"
FROM pg_stat_database d WHERE d.datname = current_database()
"""
# A session of the server that has nothing to do tells of these up to ten seconds later.
_LATE: Final = ("commits", "WAL syncs")
_LATENESS: Final = 11.0
_TABLES: Final = ("processes", "process_steps", "process_starts", "process_inputs", "process_subscriptions", "audit")
_SIZES: Final[LiteralString] = """
SELECT name, pg_table_size(name::regclass)::float8, pg_indexes_size(name::regclass)::float8
FROM unnest(%s::text[]) AS name
"""
_LATEST_STEPS: Final[LiteralString] = """
SELECT 1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE place < 120 AND place >= 20),
       1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY took) FILTER (WHERE place >= 880 AND place < 980)
FROM (
    SELECT s.position AS place,
           extract(epoch FROM completed_at - lag(completed_at) OVER (PARTITION BY process_seq ORDER BY step_id)) AS took
    FROM process_steps s JOIN processes p ON p.seq = s.process_seq JOIN workflow_versions v USING (version_id)
    WHERE v.workflow_name = %s
) AS each
"""
LONG: Final = "bench_state_100_1000"


@dataclass(frozen=True)
class Counted:
    """What was used up to a moment: seconds of CPU by part, and counters."""

    values: Mapping[str, float]

    def since(self, before: Counted, share: float | None = None) -> dict[str, float]:
        """What was used in between, for each of `share`; of each step that was recorded when it is None."""
        used = {name: value - before.values[name] for name, value in self.values.items()}
        steps = used.pop("steps")
        return {name: value / (steps if share is None else share) for name, value in used.items()}


def count(here: Ground, one: Tabled) -> Counted:
    """All of it, at this moment."""
    cpu = {f"ms of CPU, {name}": 1000 * seconds for name, seconds in _cpu(one.running).items()}
    with psycopg.connect(one.url, autocommit=True) as connection:
        cursor = connection.execute(_COUNTERS)
        row, names = cursor.fetchone(), [column.name for column in cursor.description or ()]
    assert row is not None
    with here.broker() as client:
        commands = float(_info(client)["total_commands_processed"])
    counters = dict(zip(names, map(float, row), strict=True))
    return Counted({**cpu, **counters, "broker commands": commands})


def _info(client: redis.Redis) -> Mapping[str, Any]:
    found: Any = client.info("stats")
    return dict(found)


def _cpu(workers: Iterable[int]) -> dict[str, float]:
    """Seconds of CPU of the worker, of PostgreSQL and of the broker, ended children included."""
    ours = {pid for worker in workers for pid in _descendants(worker)}
    used = dict.fromkeys(("worker", "PostgreSQL", "broker", "clock and starter"), 0.0)
    for pid in _descendants(os.getpid()):
        with suppress(OSError):
            name, fields = Path(f"/proc/{pid}/comm").read_text().strip(), _stat(pid)
            part = {"postgres": "PostgreSQL", "valkey-server": "broker"}.get(name, "clock and starter")
            used["worker" if pid in ours else part] += sum(fields) / os.sysconf("SC_CLK_TCK")
    return used


def _stat(pid: int) -> list[int]:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(field) for field in fields[11:15]]


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    for child in children_of(pid):
        yield from _descendants(child)


def sizes(one: Tabled) -> dict[str, float]:
    """Bytes of the tables that a process writes to, and of their indexes."""
    with psycopg.connect(one.url, autocommit=True) as connection:
        rows = connection.execute(_SIZES, [list(_TABLES)]).fetchall()
    return {f"{name}{what}": value for name, *both in rows for what, value in zip(("", ", indexes"), both, strict=True)}


def measure(here: Ground, contender: Ours, processes: int, finished: int) -> None:
    """Start processes while the workers stand still, then let them run; print what each took."""
    with contender.standing(here) as one:
        if finished:
            history.fill(one.url, finished, _STEPS if finished < 200_000 else 2)
        stored, begun = sizes(one), count(here, one)
        since = one.tables.now(one.url)
        one.start(TRIVIAL, processes, held=True)
        started = count(here, one)
        one.tables.wait_until_completed(one.url, processes, since)
        rate = one.tables.rate(one.url, since)
        time.sleep(_LATENESS)
        ended = count(here, one)
        click.echo(f"\n{contender}, {finished:,} processes that ended before: {rate:.0f} steps/s")
        _show("a start, by the use case", started.since(begun, processes), _LATE)
        _show("a step", ended.since(started), _LATE)
        whole = ended.since(begun, processes * _STEPS)
        _show("a step, with a tenth of a start", {name: whole[name] for name in _LATE})
        grown = {name: (value - stored[name]) / processes for name, value in sizes(one).items()}
        _show("bytes that a process of ten steps leaves behind", grown)
        click.echo(f"  {'all of it':<34} {sum(grown.values()):10,.0f}")
        with psycopg.connect(one.url) as connection:
            names = "SELECT split_part(application_name, ' ', 2), count(*) FROM pg_stat_activity WHERE "
            rows = connection.execute(names + "datname = current_database() GROUP BY 1 ORDER BY 1").fetchall()
        click.echo(f"  connections: {', '.join(f'{number} {name}' for name, number in rows)}")


def long_process(here: Ground) -> None:
    """A process of a thousand steps with 100 kB of state: the median time of the first steps and of the last."""
    with Ours().standing(here) as one:
        one.rate(LONG, 1, prefilled=True)
        with psycopg.connect(one.url) as connection:
            row = connection.execute(_LATEST_STEPS, [LONG]).fetchone()
        assert row is not None
        click.echo(
            f"\n1,000 steps with 100 kB: a step of the first hundred {row[0]:.2f} ms, of the last {row[1]:.2f} ms"
        )


def _show(title: str, values: Mapping[str, float], without: Sequence[str] = ()) -> None:
    click.echo(f" {title}")
    for name in (name for name in values if name not in without):
        value = values[name]
        click.echo(f"  {name:<34} {value:10,.2f}")


def main() -> None:
    """Measure all of it on servers of its own."""
    parser = argparse.ArgumentParser(prog="python -m bench.costs", description=__doc__)
    parser.add_argument("--processes", type=int, default=400)
    parser.add_argument("--finished", type=int, nargs="*", default=[0], help="processes that have ended before")
    parser.add_argument("--bursts", action="store_true", help="with bursts, too")
    parser.add_argument("--long", action="store_true", help="a process of a thousand steps, too")
    given = parser.parse_args()
    with ground() as here:
        for finished in given.finished:
            for contender in (Ours(), Ours(burst=1.0)) if given.bursts else (Ours(),):
                measure(here, contender, given.processes, finished)
        if given.long:
            long_process(here)


if __name__ == "__main__":
    main()
