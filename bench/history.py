"""Fills a migrated database with processes that have ended, and with what they leave behind, as years of work do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, LiteralString

from bench.filling import filling

# One subscription for so many processes.
PROCESSES_OF_A_SUBSCRIPTION: Final = 10
PRODUCT: Final = "History"
WORKFLOWS: Final = ("history_create", "history_modify", "history_validate")

# Three workflows with a version each, and a product with a block. Whoever fills a second time finds them.
_CATALOG: Final[Sequence[LiteralString]] = (
    """
    INSERT INTO workflows (workflow_id, name, target, is_task)
    SELECT gen_random_uuid(), v.name, v.target, v.is_task
    FROM (VALUES ('history_create', 'CREATE', false), ('history_modify', 'MODIFY', false),
                 ('history_validate', 'VALIDATE', true)) AS v (name, target, is_task)
    WHERE NOT EXISTS (SELECT FROM workflows w WHERE w.name = v.name AND w.deleted_at IS NULL)
    """,
    """
    INSERT INTO workflow_versions (workflow_name, hash, steps)
    SELECT name, 'history ' || %(steps)s,
           (SELECT jsonb_agg(jsonb_build_object('key', 'step_' || i, 'name', 'Step ' || i, 'kind', 'step',
                                                'assignee', 'SYSTEM') ORDER BY i)
            FROM generate_series(0, %(steps)s - 1) AS i)
    FROM workflows WHERE name = ANY(%(workflows)s) AND deleted_at IS NULL ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO products (product_id, name, product_type, tag)
    SELECT gen_random_uuid(), %(product)s, 'History', 'HISTORY' ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO product_blocks (product_block_id, name)
    SELECT gen_random_uuid(), %(product)s ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO product_product_blocks (product_id, product_block_id)
    SELECT product_id, product_block_id FROM products JOIN product_blocks USING (name) WHERE name = %(product)s
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO products_workflows (product_id, workflow_id)
    SELECT p.product_id, w.workflow_id FROM products p, workflows w
    WHERE p.name = %(product)s AND w.name = ANY(%(workflows)s) AND w.deleted_at IS NULL ON CONFLICT DO NOTHING
    """,
)

# The numbers that the rows to come get: those behind the rows that are there.
_FIRST: Final[LiteralString] = """
CREATE TEMP TABLE first ON COMMIT DROP AS
SELECT (SELECT coalesce(max(seq), 0) FROM processes) AS process,
       (SELECT coalesce(max(seq), 0) FROM subscriptions) AS subscription
"""

_ROWS: Final[Sequence[LiteralString]] = (
    """
    INSERT INTO subscriptions (subscription_id, seq, product_id, customer_id, description, status, insync, start_date,
                               created_at, last_modified_at)
    SELECT uuidv7(-made.ago), first.subscription + n, product_id, 'customer ' || n %% 1000, 'History ' || n,
           CASE WHEN n %% 20 = 0 THEN 'terminated' WHEN n %% 20 = 1 THEN 'provisioning' ELSE 'active' END, n %% 100 > 0,
           now() - made.ago, now() - made.ago, now() - made.ago
    FROM first, products p, generate_series(1, %(subscriptions)s) AS n,
         LATERAL (SELECT (%(subscriptions)s - n) * interval '30 days' / %(subscriptions)s AS ago) AS made
    WHERE p.name = %(product)s
    """,
    """
    INSERT INTO subscription_instances (subscription_instance_id, subscription_id, product_block_id, root_attribute,
                                        values)
    SELECT uuidv7(now() - s.created_at), s.subscription_id, b.product_block_id, 'block',
           jsonb_build_object('number', s.seq, 'speed', s.seq %% 7 * 1000)
    FROM subscriptions s, product_blocks b, first WHERE b.name = %(product)s AND s.seq > first.subscription
    """,
    # Two of five are tasks; one of a hundred failed, and one was aborted.
    """
    INSERT INTO processes (seq, process_id, workflow_id, version_id, target, is_task, status, position, step_key,
                           last_step, state, created_by, started_at, last_modified_at, rung_at, limit_since, change_seq,
                           failed_reason)
    SELECT first.process + n, new.id, w.workflow_id, v.version_id, w.target, w.is_task,
           CASE n %% 100 WHEN 0 THEN 'failed' WHEN 1 THEN 'aborted' ELSE 'completed' END,
           %(steps)s - CASE WHEN n %% 100 < 2 THEN 1 ELSE 0 END,
           CASE WHEN n %% 100 < 2 THEN 'step_' || %(steps)s - 1 END, 'Step ' || %(steps)s - 1,
           jsonb_build_object('process_id', new.id, 'reporter', 'history', 'workflow_name', w.name,
                              'workflow_target', w.target, 'step', %(steps)s - 1, 'number', n),
           'user ' || n %% 50, new.at, new.at + interval '2 seconds', new.at + interval '2 seconds', new.at,
           %(steps)s + 1,
           CASE n %% 100 WHEN 0 THEN 'the outside system said no' END
    FROM first, generate_series(1, %(processes)s) AS n,
         LATERAL (SELECT (%(processes)s - n) * interval '30 days' / %(processes)s AS ago) AS made,
         LATERAL (SELECT uuidv7(-made.ago) AS id, now() - made.ago AS at) AS new,
         LATERAL (SELECT (ARRAY['history_create', 'history_modify', 'history_modify', 'history_validate',
                                'history_validate'])[n %% 5 + 1] AS name) AS which
         JOIN workflows w ON w.name = which.name AND w.deleted_at IS NULL
         JOIN workflow_versions v ON v.workflow_name = w.name AND v.hash = 'history ' || %(steps)s
    """,
    """
    INSERT INTO process_steps (process_seq, position, key, name, status, delta, created_by, started_at, completed_at,
                               worker, claim, task_id)
    SELECT p.seq, i, 'step_' || i, 'Step ' || i,
           CASE WHEN i < %(steps)s - 1 THEN 'success' WHEN p.status = 'failed' THEN 'failed'
                WHEN p.status = 'aborted' THEN 'abort' ELSE 'complete' END,
           jsonb_build_object('step', i), p.created_by, p.started_at + i * interval '100 milliseconds',
           p.started_at + (i + 1) * interval '100 milliseconds', 'history@localhost',
           uuidv7(p.started_at - now() + i * interval '100 milliseconds'), p.process_id || '-' || i
    FROM first, processes p, generate_series(0, %(steps)s - 1) AS i WHERE p.seq > first.process
    """,
    """
    INSERT INTO process_starts (process_seq, generation, version_id, position, step_key, cause, state, created_by,
                                created_at)
    SELECT p.seq, 1, p.version_id, 0, 'step_0', 'start', p.state - 'step', p.created_by, p.started_at
    FROM first, processes p WHERE p.seq > first.process
    """,
    """
    INSERT INTO process_inputs (process_seq, pages, created_by, created_at)
    SELECT p.seq, jsonb_build_array(jsonb_build_object('number', p.seq)), p.created_by, p.started_at
    FROM first, processes p WHERE p.seq > first.process
    """,
    """
    INSERT INTO process_subscriptions (process_seq, subscription_id, created_at)
    SELECT p.seq, s.subscription_id, p.started_at
    FROM first, processes p JOIN subscriptions s
      ON s.seq = (SELECT subscription FROM first) + 1 + (p.seq - (SELECT process FROM first)) %% %(subscriptions)s
    WHERE p.seq > first.process
    """,
    """
    INSERT INTO subscription_changes (subscription_id, path, before, after, process_id, step_key, changed_by,
                                      changed_at)
    SELECT l.subscription_id, 'block.number', to_jsonb(p.seq - 1), to_jsonb(p.seq), p.process_id, 'step_1',
           p.created_by, p.last_modified_at
    FROM first, processes p JOIN process_subscriptions l ON l.process_seq = p.seq
    WHERE p.seq > first.process AND NOT p.is_task
    """,
    """
    INSERT INTO audit (at, actor, action, object_type, object_id, process_id, subscription_id, after)
    SELECT p.started_at, p.created_by, 'start', 'process', p.process_id, p.process_id, l.subscription_id,
           jsonb_build_object('workflow_name', p.state -> 'workflow_name', 'created_by', p.created_by)
    FROM first, processes p JOIN process_subscriptions l ON l.process_seq = p.seq WHERE p.seq > first.process
    """,
    """
    SELECT setval(pg_get_serial_sequence('processes', 'seq'), (SELECT max(seq) FROM processes)),
           setval(pg_get_serial_sequence('subscriptions', 'seq'), (SELECT max(seq) FROM subscriptions))
    """,
)

_FILLED: Final = (
    "processes",
    "process_steps",
    "process_starts",
    "process_inputs",
    "process_subscriptions",
    "subscriptions",
    "subscription_instances",
    "subscription_changes",
    "audit",
)


def fill(url: str, processes: int, steps: int = 2) -> None:
    """Add processes that ended within the last 30 days, each with the rows of its steps, its start, its input, its
    subscription, its audit, and the value that it changed. In one transaction, then vacuumed and analyzed.

    Args:
        url: of a migrated database of PostgreSQL 18, as a superuser; libpq's spelling.
        processes: at least 1.
        steps: of each process, at least 1.
    """
    values = {
        "processes": processes,
        "steps": steps,
        "subscriptions": max(1, processes // PROCESSES_OF_A_SUBSCRIPTION),
        "product": PRODUCT,
        "workflows": list(WORKFLOWS),
    }
    with filling(url, _FILLED) as connection:
        for statement in (*_CATALOG, _FIRST, *_ROWS):
            connection.execute(statement, values)
