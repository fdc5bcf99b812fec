"""The statements of callbacks that workers and the clock run through psycopg, each with its purpose.

Who takes or brings a callback locks the row of its process first and looks into `callbacks` in a later statement, so
that none of the two misses the other.
"""

from __future__ import annotations

from typing import Final, LiteralString

# Before the route is handed out: the row that it belongs to, and its nonce, which stays the same when the step that
# asks the outside system runs again. No row: the claim is not ours any more.
OPEN_CALLBACK: Final[LiteralString] = """
INSERT INTO callbacks (process_seq, step_key, generation, nonce)
SELECT seq, %(key)s, %(generation)s, %(nonce)s FROM processes
WHERE seq = %(seq)s AND claim = %(claim)s AND status = 'running'
ON CONFLICT (process_seq, step_key, generation) DO UPDATE SET step_key = EXCLUDED.step_key
RETURNING nonce
"""

# In the record of the step that waits, after LOCK_PROCESS: take what has arrived, or note the time limit that begins
# to run. No row: the route was never handed out.
TAKE_CALLBACK: Final[LiteralString] = """
UPDATE callbacks
SET time_limit = %(time_limit)s, consumed_at = CASE WHEN arrived_at IS NOT NULL THEN clock_timestamp() END
WHERE process_seq = %(seq)s AND step_key = %(key)s AND generation = %(generation)s
RETURNING arrived_at IS NOT NULL, arrived
"""

# Processes for which nobody called back in time. A callback that came has moved its process on already.
FAIL_LATE_CALLBACKS: Final[LiteralString] = """
WITH late AS MATERIALIZED (
    SELECT seq, position, generation, step_key, version_id, created_by FROM processes
    WHERE due_at <= clock_timestamp() AND status = 'awaiting_callback' AND NOT paused AND engine_open()
    ORDER BY due_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
), told AS (
    SELECT late.*, coalesce(v.steps -> late.position ->> 'name', late.step_key) AS name,
           'no callback came within the time limit of ' || coalesce(c.time_limit::text, 'its')
           || CASE WHEN c.time_limit = 1 THEN ' second' ELSE ' seconds' END AS reason
    FROM late JOIN workflow_versions v USING (version_id)
    LEFT JOIN callbacks c ON c.process_seq = late.seq AND c.step_key = late.step_key AND c.generation = late.generation
), failed AS (
    UPDATE processes p
    SET status = 'failed', waiting_for = NULL, due_at = NULL, waiting_since = NULL, claim = NULL, attempt = 0,
        failed_reason = 'Step ''' || told.name || ''' (' || told.step_key || '): ' || told.reason, traceback = NULL,
        last_modified_at = clock_timestamp(), change_seq = change_seq + 1
    FROM told WHERE p.seq = told.seq
    RETURNING p.seq
)
INSERT INTO process_steps (process_seq, position, generation, key, name, status, error, created_by)
SELECT told.seq, told.position, told.generation, told.step_key, told.name, 'failed',
       jsonb_build_object('class', %(error)s::text, 'error', told.reason, 'traceback', ''), told.created_by
FROM told JOIN failed USING (seq)
"""
