"""The statements of the clock about processes that wait past a time limit: their own, or that of a callback."""

from __future__ import annotations

from typing import Final, LiteralString

# Which limit has struck, how many seconds it was, and what is needed to record that; of two that of the callback.
FIND_LATE: Final[LiteralString] = """
WITH late AS MATERIALIZED (
    (SELECT seq, true AS of_callback FROM processes
     WHERE due_at <= statement_timestamp() AND status = 'awaiting_callback' AND NOT paused AND (SELECT engine_open())
     ORDER BY due_at LIMIT %(most)s)
    UNION ALL
    (SELECT seq, false FROM processes
     WHERE expires_at <= statement_timestamp() AND status IN ('suspended', 'waiting', 'awaiting_callback')
       AND NOT paused AND (SELECT engine_open())
     ORDER BY expires_at LIMIT %(most)s)
)
SELECT DISTINCT ON (p.seq) p.seq, p.process_id, p.status, p.position, p.generation, p.step_key, p.change_seq,
       p.created_by, p.target, v.steps @> '[{"kind": "unsync_unchecked"}]' AS takes_unchecked,
       jsonb_array_length(v.steps) AS steps,
       coalesce(v.steps -> p.position ->> 'name', p.step_key) AS name, late.of_callback,
       CASE WHEN late.of_callback THEN c.time_limit
            ELSE extract(epoch FROM p.expires_at - p.limit_since)::float8 END AS seconds
FROM late JOIN processes p USING (seq) JOIN workflow_versions v USING (version_id)
LEFT JOIN callbacks c ON c.process_seq = p.seq AND c.step_key = p.step_key AND c.generation = p.generation
ORDER BY p.seq, late.of_callback DESC
"""

# The clock does not wait for who has locked one of these: it looks again a second later.
HURRY: Final[LiteralString] = "SELECT set_config('lock_timeout', '20ms', true)"

# Fail a process, if it still is as it was seen: no row means that it is not, or that it is paused by now.
FAIL_LATE: Final[LiteralString] = """
WITH p AS (
    UPDATE processes
    SET status = %(status)s, waiting_for = NULL, due_at = NULL, expires_at = NULL, limit_since = NULL,
        waiting_since = NULL, claim = NULL, attempt = 0, deadline = NULL, last_step = %(name)s, assignee = 'SYSTEM',
        failed_reason = %(failed_reason)s, traceback = NULL, last_modified_at = clock_timestamp(),
        change_seq = change_seq + 1
    WHERE seq = %(seq)s AND change_seq = %(change_seq)s AND NOT paused AND engine_open()
    RETURNING seq
)
INSERT INTO process_steps (process_seq, position, generation, key, name, status, error, created_by)
SELECT seq, %(position)s, %(generation)s, %(key)s, %(name)s, %(step_status)s,
       jsonb_build_object('class', %(class)s::text, 'error', %(reason)s::text, 'traceback', ''), %(created_by)s
FROM p
RETURNING step_id
"""
