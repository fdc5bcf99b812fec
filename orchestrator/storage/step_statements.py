"""The statements of the step protocol, each with its purpose. They run through psycopg on the worker's own connection.

A worker needs two of them for a step that touches no table of its own: CLAIM and RECORD_ALONE, each a transaction by
itself. CLAIM is committed asynchronously (it only marks); the record is the one durable commit. What a step does by
`db.session` is one transaction with its record: BEGIN, its statements, RECORD, UNLOCK and COMMIT.
"""

from __future__ import annotations

from typing import Final, LiteralString

# An advisory lock is one bigint: the namespace stands in its high bits, the seq of the process in the low 48.
STEP_LOCKS: Final = 0x5354
CLOCK_LOCK: Final = 0x434C << 48
MIGRATION_LOCK: Final = 0x4D49 << 48


def step_lock_key(seq: int) -> int:
    """The key of the advisory lock that a process is claimed by."""
    return (STEP_LOCKS << 48) | seq


# Where the step before used db.session: what a SET, a LISTEN or a temporary table left behind must not reach the next
# process. DISCARD ALL without its DEALLOCATE, because the protocol's own statements stay prepared.
CLEAR_SESSION: Final[LiteralString] = """
SET SESSION AUTHORIZATION DEFAULT; RESET ALL; CLOSE ALL; UNLISTEN *; DISCARD TEMP; DISCARD SEQUENCES
"""

# Take the right to run the next step. No row: nothing to run. got false: somebody else runs it. got true and no
# position: the process changed between the two looks; unlock and claim again. The nesting forces the order row, lock,
# pause, update, whatever the planner does; engine_open() is volatile, so it sees a pause committed a moment ago.
# For ten seconds after a restart of the server nobody takes what was claimed before it: workers that have a result in
# hand come back first. A claim that the restart ended does not count as one that its worker lost; from the tenth of a
# step on it does: that step may be what ends the server. A server that has started at a moment to come has had its
# clock set back: nobody waits for that moment. While the engine is paused not even the lock is taken: whoever unpauses
# would find it held, and not ring. Before all else it lets go of locks that an earlier bell of this session left behind
# (it cannot happen in a healthy worker; it must not matter).
CLAIM: Final[LiteralString] = """
WITH c AS MATERIALIZED (
    SELECT count(*) AS cleared FROM pg_advisory_unlock_all()
), r AS MATERIALIZED (
    SELECT seq FROM processes
    WHERE seq = %(seq)s AND (SELECT cleared FROM c) = 1 AND NOT paused AND status IN ('created', 'running', 'resumed')
      AND (claim IS NULL OR claimed_at > pg_postmaster_start_time()
           OR NOT pg_postmaster_start_time() BETWEEN clock_timestamp() - interval '10 seconds' AND clock_timestamp())
      AND engine_open()
), l AS MATERIALIZED (
    SELECT seq, pg_try_advisory_lock(%(key)s) AS got, set_config('synchronous_commit', 'off', true) AS sc FROM r
), o AS MATERIALIZED (
    SELECT seq FROM l WHERE CASE WHEN got AND sc = 'off' THEN engine_open() END
), u AS (
    UPDATE processes p
    SET claim = %(claim)s, claimed_at = clock_timestamp(), claimed_by = %(worker)s,
        (attempt, excused) = (
            SELECT p.attempt + CASE WHEN by_restart AND p.excused < 10 THEN 0 ELSE 1 END,
                   p.excused + CASE WHEN by_restart THEN 1 ELSE 0 END
            FROM (SELECT p.claim IS NOT NULL AND p.claimed_at < pg_postmaster_start_time()
                         AND pg_postmaster_start_time() <= clock_timestamp() AS by_restart) AS ended
        ),
        deadline = CASE WHEN p.deadline = 'epoch' THEN p.deadline END, status = 'running',
        limit_since = coalesce(p.limit_since, clock_timestamp())
    FROM o WHERE p.seq = o.seq AND NOT p.paused AND p.status IN ('created', 'running', 'resumed')
    RETURNING p.seq, p.process_id, p.position, p.generation, p.version_id, p.state, p.attempt, p.claimed_at, p.target,
              p.is_task, p.created_by, p.waiting_since, p.limit_since, p.deadline IS NOT NULL AS given_up,
              p.parent_seq, p.recent
)
SELECT l.got, u.process_id, u.position, u.generation, u.version_id, u.state, u.attempt, u.claimed_at, u.target,
       u.is_task, u.created_by, u.waiting_since, u.limit_since, u.given_up,
       u.parent_seq, u.recent
FROM l LEFT JOIN u USING (seq)
"""

UNLOCK: Final[LiteralString] = "SELECT pg_advisory_unlock(%(key)s)"

# When a step that has a time limit is given up although its worker goes on. It only marks, as the claim does.
SET_DEADLINE: Final[LiteralString] = """
UPDATE processes SET deadline = clock_timestamp() + %(seconds)s * interval '1 second'
WHERE seq = %(seq)s AND claim = %(claim)s AND set_config('synchronous_commit', 'off', true) = 'off'
"""

# Write what a step ended in, and move the process, if the claim is still ours: no row means that it is not (aborted,
# taken over), and everything of this transaction is rolled back.
_MOVED: Final[LiteralString] = """
    UPDATE processes p
    SET status = %(status)s, waiting_for = %(waiting_for)s, due_at = %(due_at)s, waiting_since = NULL,
        expires_at = %(expires_at)s, limit_since = CASE WHEN %(counts_anew)s THEN NULL ELSE limit_since END,
        position = %(next_position)s, step_key = %(next_key)s, last_step = %(name)s, assignee = %(assignee)s,
        excused = 0, deadline = NULL, rung_at = statement_timestamp(), last_modified_at = clock_timestamp(),
        change_seq = change_seq + 1, failed_reason = %(failed_reason)s, traceback = %(traceback)s"""
# A state that does not change is not written again, and a large one is left as it is: what this step changed is kept in
# `recent`, until that has become an eighth of it. Else each step would compress and write all of it.
_MERGED: Final[LiteralString] = """
        (state, recent) = (
            SELECT CASE WHEN small THEN state ELSE ((state || recent) - %(removed)s::text[]) || %(delta)s::jsonb END,
                   CASE WHEN small THEN recent || %(delta)s::jsonb ELSE '{}' END
            FROM (SELECT NOT %(changes)s OR %(removed)s::text[] = '{}'
                         AND 8 * pg_column_size(recent || %(delta)s::jsonb) < pg_column_size(state) AS small) AS change
        )"""
# The step that ends the process drops a state that does not fit into its row: it is that of its last beginning, and
# what the steps since have changed. Small ones stay; so does that of a process whose beginning no release has kept.
_DROPPED: Final[LiteralString] = """
        (state, recent) = (
            SELECT CASE WHEN NOT told THEN ((state || recent) - %(removed)s::text[]) || %(delta)s::jsonb END,
                   jsonb '{}'
            FROM (SELECT pg_column_size(p.state) > 2000 AND EXISTS (
                      SELECT FROM process_starts WHERE process_seq = p.seq AND generation = p.generation
                  ) AS told) AS kept
        )"""
_OURS: Final[LiteralString] = "WHERE seq = %(seq)s AND claim = %(claim)s AND status = 'running'"
_STEP_ROW: Final[LiteralString] = """
    INSERT INTO process_steps (process_seq, position, generation, key, name, status, delta, removed, attempt, error,
                               created_by, started_at, completed_at, worker, claim, task_id)
    SELECT p.seq, %(position)s, %(generation)s, %(key)s, %(name)s, %(step_status)s, %(delta)s::jsonb,
           %(removed)s::text[], %(attempt)s, %(error)s::jsonb, %(created_by)s, %(claimed_at)s, clock_timestamp(),
           p.claimed_by, %(claim)s, %(task_id)s
    FROM p"""


def _record(state: LiteralString) -> LiteralString:
    return f"""
WITH p AS ({_MOVED}, {state}, claim = NULL, attempt = 0 {_OURS} RETURNING seq, claimed_by)
{_STEP_ROW} RETURNING transaction_timestamp()
"""


RECORD: Final[LiteralString] = _record(_MERGED)
RECORD_END: Final[LiteralString] = _record(_DROPPED)


# The same for a step that did nothing else in the database, as one transaction. If the worker wants to go on with the
# next step, it is claimed, too, unless there is a pause; later than it was rung for, as any claim is, so that the sweep
# sees at once that its worker died. Else the lock is let go of when both rows are written, and the row of the process
# covers the gap until the commit.
def _record_alone(state: LiteralString) -> LiteralString:
    return f"""
WITH p AS ({_MOVED}, {state},
        (claim, attempt, claimed_at) = (
            SELECT CASE WHEN goes_on THEN %(next_claim)s END, CASE WHEN goes_on THEN 1 ELSE 0 END,
                   CASE WHEN goes_on THEN clock_timestamp() ELSE p.claimed_at END
            FROM (SELECT %(next_claim)s::uuid IS NOT NULL AND NOT p.paused AND engine_open() AS goes_on) AS looked
        )
    {_OURS}
    RETURNING seq, claimed_by, claim, claimed_at, limit_since,
              CASE WHEN claim IS NOT NULL THEN state || recent END AS state
), s AS ({_STEP_ROW}
    RETURNING process_seq
)
SELECT p.claim IS NOT NULL, p.claimed_at, p.limit_since, p.state,
       CASE WHEN p.claim IS NULL THEN pg_advisory_unlock(%(lock)s) END
FROM s JOIN p ON p.seq = s.process_seq
"""  # noqa: S608 - made of constants


RECORD_ALONE: Final[LiteralString] = _record_alone(_MERGED)
RECORD_END_ALONE: Final[LiteralString] = _record_alone(_DROPPED)

# A process that failed gives back what it holds, and notes it, so that it can take it again. Before RECORD, because a
# step that takes a subscription locks that before the process, too.
GIVE_BACK_HELD: Final[LiteralString] = """
WITH given AS (
    UPDATE subscriptions
    SET insync = true, held_by = NULL, version = version + 1, last_modified_at = now()
    WHERE held_by = %(process_id)s AND NOT insync
      AND subscription_id IN (SELECT subscription_id FROM process_subscriptions WHERE process_seq = %(seq)s)
    RETURNING subscription_id
), noted AS (
    UPDATE process_subscriptions l SET given_back = true FROM given
    WHERE l.process_seq = %(seq)s AND l.subscription_id = given.subscription_id
)
INSERT INTO subscription_changes (subscription_id, path, before, after, process_id, step_key, changed_by)
SELECT subscription_id, 'insync', jsonb 'false', jsonb 'true', %(process_id)s, %(key)s, %(changed_by)s FROM given
RETURNING subscription_id
"""

# Was this claim recorded? Asked after a COMMIT that nobody answered, in a statement after the one that took the row.
LOCK_PROCESS: Final[LiteralString] = """
SELECT claim = %(claim)s AND status = 'running' AS ours FROM processes WHERE seq = %(seq)s FOR NO KEY UPDATE
"""
FIND_RECORD: Final[LiteralString] = "SELECT true FROM process_steps WHERE claim = %(claim)s"

# End the server process of a lost connection, which may not have noticed; the name is the connection's own.
END_BACKEND: Final[LiteralString] = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %(name)s
"""
TRY_LOCK: Final[LiteralString] = "SELECT pg_try_advisory_lock(%(key)s)"

# Give a claim back uncounted, for the sweep to ring: the step did its work, and the server went away under it. As in
# CLAIM not for ever: a step whose statements make the server end its sessions, and recover, would do so each time.
HAND_BACK: Final[LiteralString] = """
UPDATE processes
SET claim = NULL, attempt = CASE WHEN excused < 10 THEN greatest(attempt - 1, 0) ELSE attempt END,
    excused = excused + 1, deadline = NULL, rung_at = 'epoch'
WHERE seq = %(seq)s AND claim = %(claim)s AND status = 'running'
"""

# Count the claims that a worker has at this moment as none: it is told to stop, and may have to end its steps.
UNCOUNT: Final[LiteralString] = """
UPDATE processes SET attempt = greatest(attempt - 1, 0)
WHERE status = 'running' AND claim IS NOT NULL AND starts_with(claimed_by, %(worker)s)
"""

# How often the step that a process stands at has waited for another try, since somebody last resumed it by hand.
COUNT_RETRIES: Final[LiteralString] = """
WITH tries AS (
    SELECT step_id, status FROM process_steps
    WHERE process_seq = %(seq)s AND position = %(position)s AND generation = %(generation)s
)
SELECT count(*) FROM tries
WHERE status = 'waiting' AND step_id > coalesce((SELECT max(step_id) FROM tries WHERE status = 'failed'), 0)
"""

# Whether the step that a process stands at has waited for its moment already; not if it failed in the meantime.
HAS_WAITED: Final[LiteralString] = """
SELECT status = 'waiting' FROM process_steps
WHERE process_seq = %(seq)s AND position = %(position)s AND generation = %(generation)s AND key = %(key)s
ORDER BY step_id DESC LIMIT 1
"""

# Give a claim back uncounted, to be looked at again at due_at (this worker lacks the step's code).
GIVE_BACK: Final[LiteralString] = """
UPDATE processes
SET claim = NULL, attempt = greatest(attempt - 1, 0), due_at = clock_timestamp() + %(seconds)s * interval '1 second',
    waiting_since = coalesce(waiting_since, clock_timestamp()), rung_at = now()
WHERE seq = %(seq)s AND claim = %(claim)s AND status = 'running'
"""

# The step list that a process is pinned to.
VERSION: Final[LiteralString] = """
SELECT v.workflow_name, v.hash, v.steps FROM workflow_versions v WHERE v.version_id = %(version_id)s
"""
