"""The least that a durable step costs: move a row, add a row, one commit, over and over on one connection.

Called with a URL, a number of steps, and the first process of this client; prints the seconds it took.
"""

from __future__ import annotations

import sys
import time

import psycopg

_MOVE = "UPDATE bench_processes SET position = position + 1, state = state || %s::jsonb WHERE seq = %s"
_ADD = "INSERT INTO bench_steps (process_seq, name, status, delta) VALUES (%s, %s, 'success', %s::jsonb)"


def main() -> None:
    """Ten steps for each process, one after the other."""
    url, processes, first = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    with psycopg.connect(url, prepare_threshold=1) as connection:
        print("ready", flush=True)  # noqa: T201
        sys.stdin.readline()
        began = time.perf_counter()
        for process in range(first, first + processes):
            for number in range(10):
                delta = f'{{"step": {number}}}'
                connection.execute(_MOVE, (delta, process))
                connection.execute(_ADD, (process, f"step_{number}", delta))
                connection.commit()
        print(time.perf_counter() - began, flush=True)  # noqa: T201


main()
