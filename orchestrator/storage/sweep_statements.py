"""The statements of the recovery sweep. Each moves `rung_at` by a conditional UPDATE, so that two sweeps ring once.

`statement_timestamp()` can be looked up in an index, `clock_timestamp()` cannot; `(SELECT engine_open())` is asked
once, and not for each row. A moment to come where only one of the past can stand: the clock of the server was set back.
"""

from __future__ import annotations

from typing import Final, LiteralString

from orchestrator.storage.step_statements import CLOCK_LOCK

# The clock that holds this lock is the leader; it ends with its connection.
TAKE_LEAD: Final[LiteralString] = "SELECT pg_try_advisory_lock(%(key)s)"
CLOCK_LOCK_KEY: Final = CLOCK_LOCK

# End the connection of a leader that has been silent for too long: frozen, or cut off without a word. A living one asks
# for something every second, and reads the answer.
END_SILENT_LEADER: Final[LiteralString] = """
SELECT pg_terminate_backend(a.pid) FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((l.classid::bigint << 32) | l.objid::bigint) = %(key)s
  AND (a.state IN ('idle', 'idle in transaction', 'idle in transaction (aborted)') OR a.wait_event = 'ClientWrite')
  AND NOT a.state_change BETWEEN clock_timestamp() - %(seconds)s * interval '1 second'
                             AND clock_timestamp() + %(seconds)s * interval '1 second'
"""

# Timers that came due: a step that waited to be tried again, or slept, may go on.
WAKE: Final[LiteralString] = """
UPDATE processes SET status = 'resumed', waiting_for = NULL, due_at = NULL, failed_reason = NULL, traceback = NULL,
       last_modified_at = clock_timestamp(), change_seq = change_seq + 1, rung_at = to_timestamp(0)
WHERE seq IN (
    SELECT seq FROM processes
    WHERE due_at <= statement_timestamp() AND status = 'waiting' AND NOT paused AND (SELECT engine_open())
    ORDER BY due_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
) AND status = 'waiting'
"""

# Rows that were claimed by somebody whose lock is gone, seen for the first time or not rung for `again` seconds.
RING_ORPHANS: Final[LiteralString] = """
WITH held AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint >> 16 = %(namespace)s
), found AS MATERIALIZED (
    SELECT seq FROM processes p
    WHERE status IN ('created', 'running', 'resumed') AND claim IS NOT NULL AND NOT paused AND (SELECT engine_open())
      AND (rung_at < claimed_at OR NOT rung_at BETWEEN clock_timestamp() - %(again)s * interval '1 second'
                                                   AND clock_timestamp())
      AND NOT claimed_at BETWEEN clock_timestamp() - interval '500 milliseconds' AND clock_timestamp()
      AND (claimed_at > pg_postmaster_start_time()
           OR NOT pg_postmaster_start_time() BETWEEN clock_timestamp() - interval '10 seconds' AND clock_timestamp())
      AND NOT EXISTS (SELECT 1 FROM held WHERE key = (%(namespace)s::bigint << 48) | p.seq)
    ORDER BY seq LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE processes p SET rung_at = clock_timestamp()
FROM found, workflow_versions v
WHERE p.seq = found.seq AND v.version_id = p.version_id
RETURNING p.seq, p.process_id, v.workflow_name, coalesce(p.step_key, ''), p.target, p.is_task
"""

# While the engine is paused nobody rings for a row whose lock is gone, and it must not look as if its step still ran.
# A worker that lost its connection comes back with a result within a minute; after that the token is taken away. What a
# restart of the server ended does not count, as in CLAIM.
LET_GO: Final[LiteralString] = """
WITH held AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint >> 16 = %(namespace)s
), found AS MATERIALIZED (
    SELECT seq FROM processes p
    WHERE status IN ('created', 'running', 'resumed') AND claim IS NOT NULL AND NOT (SELECT engine_open())
      AND greatest(claimed_at, (SELECT changed_at FROM engine_settings), pg_postmaster_start_time())
          < clock_timestamp() - %(patience)s * interval '1 second'
      AND NOT EXISTS (SELECT 1 FROM held WHERE key = (%(namespace)s::bigint << 48) | p.seq)
    ORDER BY seq LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE processes p
SET claim = NULL, change_seq = change_seq + 1,
    attempt = CASE WHEN claimed_at < pg_postmaster_start_time() THEN greatest(attempt - 1, 0) ELSE attempt END
FROM found WHERE p.seq = found.seq
"""

# Rows that were put off until a moment that has come.
RING_DUE: Final[LiteralString] = """
WITH found AS MATERIALIZED (
    SELECT seq FROM processes
    WHERE due_at <= statement_timestamp() AND status IN ('created', 'running', 'resumed') AND claim IS NULL
      AND NOT paused AND (SELECT engine_open())
    ORDER BY due_at LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE processes p SET rung_at = clock_timestamp(), due_at = NULL
FROM found, workflow_versions v
WHERE p.seq = found.seq AND v.version_id = p.version_id
RETURNING p.seq, p.process_id, v.workflow_name, coalesce(p.step_key, ''), p.target, p.is_task
"""

# How many processes wait for a worker, by what decides on their queue: each should have a bell there.
COUNT_RUNNABLE: Final[LiteralString] = """
SELECT target, is_task, count(*) FROM processes
WHERE status IN ('created', 'running', 'resumed') AND claim IS NULL AND due_at IS NULL AND NOT paused
  AND (SELECT engine_open())
GROUP BY target, is_task
"""

# So many of them have no bell: those that were rung longest ago, and not just now.
RING_FORGOTTEN: Final[LiteralString] = """
WITH found AS MATERIALIZED (
    SELECT seq FROM processes
    WHERE status IN ('created', 'running', 'resumed') AND claim IS NULL AND due_at IS NULL AND NOT paused
      AND (SELECT engine_open()) AND NOT rung_at BETWEEN clock_timestamp() - %(again)s * interval '1 second'
                                                     AND clock_timestamp()
      AND (target, is_task) IN (SELECT * FROM unnest(%(targets)s::text[], %(tasks)s::boolean[]))
    ORDER BY rung_at, seq LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
)
UPDATE processes p SET rung_at = clock_timestamp()
FROM found, workflow_versions v
WHERE p.seq = found.seq AND v.version_id = p.version_id
RETURNING p.seq, p.process_id, v.workflow_name, coalesce(p.step_key, ''), p.target, p.is_task
"""
