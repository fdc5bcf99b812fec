"""The statements of the sweep about workers that hold the lock of a process too long, or for nothing."""

from __future__ import annotations

from typing import Final, LiteralString

# Steps that are past their hard limit, while the connection that claimed them still holds the lock: they are marked as
# given up, for whoever claims them next to record that, and the connection is ended. Where nobody holds the lock the
# worker died before; that step runs again. A worker that came back over a new connection has a result in hand.
GIVE_UP: Final[LiteralString] = """
WITH held AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key, pid FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint >> 16 = %(namespace)s
), found AS MATERIALIZED (
    SELECT p.seq, h.pid FROM processes p JOIN held h ON h.key = (%(namespace)s::bigint << 48) | p.seq
    JOIN pg_stat_activity a ON a.pid = h.pid
    WHERE p.status = 'running' AND p.claim IS NOT NULL AND p.deadline <= clock_timestamp() AND p.deadline > 'epoch'
      AND coalesce(a.backend_start <= p.claimed_at, true)
    FOR NO KEY UPDATE OF p SKIP LOCKED
)
UPDATE processes p SET deadline = 'epoch' FROM found WHERE p.seq = found.seq AND p.deadline <= clock_timestamp()
RETURNING p.process_id, p.step_key, p.claimed_by, pg_terminate_backend(found.pid)
"""

# Who holds the lock of a process that could run and that nobody has claimed: in passing, or because it is frozen, or
# runs a step whose claim was taken away.
HOLDERS_WITHOUT_CLAIM: Final[LiteralString] = """
WITH held AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key, pid FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint >> 16 = %(namespace)s
)
SELECT p.seq, h.pid, p.change_seq FROM processes p JOIN held h ON h.key = (%(namespace)s::bigint << 48) | p.seq
WHERE p.status IN ('created', 'running', 'resumed') AND p.claim IS NULL
"""

# End a connection that still holds that lock.
END_HOLDER: Final[LiteralString] = """
WITH held AS MATERIALIZED (
    SELECT (classid::bigint << 32) | objid::bigint AS key, pid FROM pg_locks
    WHERE locktype = 'advisory' AND objsubid = 1 AND granted
      AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
      AND classid::bigint >> 16 = %(namespace)s
)
SELECT pg_terminate_backend(pid) FROM held WHERE pid = %(pid)s AND key = (%(namespace)s::bigint << 48) | %(seq)s
"""
