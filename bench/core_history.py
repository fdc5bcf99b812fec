"""Fills a migrated database of orchestrator-core with processes that have ended, as `bench.history` does ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

from bench.filling import filling
from bench.history import PROCESSES_OF_A_SUBSCRIPTION

_ROWS: Final[Sequence[LiteralString]] = (
    """
    INSERT INTO products (name, description, product_type, tag, status)
    VALUES ('History', 'History', 'History', 'HISTORY', 'active') ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO subscriptions (description, status, product_id, customer_id, insync, start_date)
    SELECT 'History ' || n, CASE WHEN n %% 20 = 0 THEN 'terminated' ELSE 'active' END, product_id,
           'customer ' || n %% 1000, n %% 100 > 0,
           now() - (%(subscriptions)s - n) * interval '30 days' / %(subscriptions)s
    FROM products, generate_series(1, %(subscriptions)s) AS n WHERE name = 'History'
    """,
    # Two of five are tasks; one of a hundred failed, and one was aborted.
    """
    INSERT INTO processes (pid, workflow_id, assignee, last_status, last_step, started_at, last_modified_at, created_by,
                           is_task, failed_reason)
    SELECT gen_random_uuid(), w.workflow_id, 'SYSTEM',
           CASE n %% 100 WHEN 0 THEN 'failed' WHEN 1 THEN 'aborted' ELSE 'completed' END, 'Done', made.at,
           made.at + interval '2 seconds', 'user ' || n %% 50, n %% 5 < 2,
           CASE n %% 100 WHEN 0 THEN 'the outside system said no' END
    FROM workflows w, generate_series(1, %(processes)s) AS n,
         LATERAL (SELECT now() - (%(processes)s - n) * interval '30 days' / %(processes)s AS at) AS made
    WHERE w.name = 'bench_trivial'
    """,
    # Each row holds the whole state, as its engine writes it.
    """
    INSERT INTO process_steps (pid, name, status, state, created_by, started_at, completed_at)
    SELECT p.pid,
           CASE i WHEN 0 THEN 'Start' WHEN %(steps)s - 1 THEN 'Done' ELSE 'Step ' || i - 1 END,
           CASE WHEN i < %(steps)s - 1 THEN 'success' WHEN p.last_status = 'failed' THEN 'failed'
                WHEN p.last_status = 'aborted' THEN 'abort' ELSE 'complete' END,
           jsonb_build_object('process_id', p.pid, 'reporter', 'history', 'workflow_name', 'bench_trivial',
                              'workflow_target', 'SYSTEM', 'step', i),
           p.created_by, p.started_at + i * interval '100 milliseconds',
           p.started_at + (i + 1) * interval '100 milliseconds'
    FROM processes p, generate_series(0, %(steps)s - 1) AS i
    """,
    """
    INSERT INTO input_states (pid, input_state, input_time, input_type)
    SELECT pid, jsonb_build_object('process_id', pid, 'reporter', 'history', 'workflow_name', 'bench_trivial',
                                   'workflow_target', 'SYSTEM'), started_at, 'initial_state'
    FROM processes
    """,
    """
    INSERT INTO processes_subscriptions (pid, subscription_id, created_at, workflow_target)
    SELECT p.pid, s.subscription_id, p.started_at, 'SYSTEM'
    FROM (SELECT pid, started_at, row_number() OVER (ORDER BY started_at) AS number FROM processes) AS p
    JOIN (SELECT subscription_id, row_number() OVER (ORDER BY start_date) AS number FROM subscriptions) AS s
      ON s.number = p.number %% %(subscriptions)s + 1
    """,
)

_FILLED: Final = ("products", "subscriptions", "processes", "process_steps", "input_states", "processes_subscriptions")


def fill(url: str, processes: int, steps: int) -> None:
    """Add processes that ended within the last 30 days to a database that has none, then vacuum and analyze.

    Args:
        url: of a migrated database, as a superuser; libpq's spelling.
        processes: at least 1.
        steps: of each process, at least 2.
    """
    values = {
        "processes": processes,
        "steps": steps,
        "subscriptions": max(1, processes // PROCESSES_OF_A_SUBSCRIPTION),
    }
    with filling(url, _FILLED) as connection:
        for rows in _ROWS:
            connection.execute(rows, values)
