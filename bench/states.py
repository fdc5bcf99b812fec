"""What a large state costs: time for each step, and bytes stored, over 10 and 100 steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import LiteralString

import psycopg

from bench.contenders import core, ours
from bench.ground import Ground

# What is stored of one process, compressed as the server does it, without the space between rows.
_OUR_BYTES = """
SELECT (SELECT sum(pg_column_size(state)) FROM processes)
     + (SELECT sum(pg_column_size(delta)) FROM process_steps)
     + (SELECT sum(pg_column_size(state)) FROM process_starts)
"""
_CORE_BYTES = "SELECT sum(pg_column_size(state)) FROM process_steps"


@dataclass(frozen=True)
class StateCost:
    """Milliseconds of the whole run for each step, and bytes stored of one process."""

    milliseconds_per_step: float
    bytes_stored: float


def ours_with(ground: Ground, kilobytes: int, steps: int, processes: int) -> StateCost:
    """This project."""
    contender = ours.Ours()
    with contender.database(ground) as url:
        variables = contender.variables(ground, url, 2)
        with ours.workers(ground, variables):
            since = ours.warm_up(ground, variables, url)
            before = _value(url, _OUR_BYTES)
            ours.start(ground, variables, f"bench_state_{kilobytes}_{steps}", processes)
            ours.TABLES.wait_until_completed(url, processes, since)
        stored = (_value(url, _OUR_BYTES) - before) / processes
        return StateCost(1000 / ours.TABLES.rate(url, since), stored)


def core_with(ground: Ground, kilobytes: int, steps: int, processes: int) -> StateCost:
    """orchestrator-core, without its broadcasts."""
    contender = core.Core(websockets=False)
    with contender.database(ground) as url:
        variables = contender.variables(ground, url)
        with contender.worker(ground, variables, 2):
            since = contender.warm_up(ground, variables, url)
            before = _value(url, _CORE_BYTES)
            core.start(ground, variables, f"bench_state_{kilobytes}_{steps}", processes)
            core.TABLES.wait_until_completed(url, processes, since)
        stored = (_value(url, _CORE_BYTES) - before) / processes
        return StateCost(1000 / core.TABLES.rate(url, since), stored)


def _value(url: str, statement: LiteralString) -> float:
    with psycopg.connect(url) as connection:
        row = connection.execute(statement).fetchone()
    return 0.0 if row is None or row[0] is None else float(row[0])
