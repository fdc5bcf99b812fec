"""The least that a durable step costs: move a row, add a row, one commit, over and over on one connection.

Called with a URL; an order is how many processes, and the first of them; the answer is the seconds that it took.
"""

from __future__ import annotations

import sys
import time

import psycopg

from bench.peers.orders import obey

_MOVE = "UPDATE bench_processes SET position = position + 1, state = state || %s::jsonb WHERE seq = %s"
_ADD = "INSERT INTO bench_steps (process_seq, name, status, delta) VALUES (%s, %s, 'success', %s::jsonb)"


def main() -> None:
    """Ten steps for each process, one after the other."""
    with psycopg.connect(sys.argv[1], prepare_threshold=1) as connection:

        def run(processes: int, first: int) -> float:
            began = time.perf_counter()
            for process in range(first, first + processes):
                for number in range(10):
                    delta = f'{{"step": {number}}}'
                    connection.execute(_MOVE, (delta, process))
                    connection.execute(_ADD, (process, f"step_{number}", delta))
                    connection.commit()
            return time.perf_counter() - began

        obey(run)


main()
