"""The statements of processes that start others and wait for them, each with its purpose.

Who may end a wait locks the row of the parent first and looks at its children in a later statement: of two children
that end at the same moment the second sees the first. A child locks its own row before that of its parent.
"""

from __future__ import annotations

from typing import Final, LiteralString

# Start a child in the record of its parent, with its version pinned (made when it is new). No row: the database knows
# no such workflow.
START_CHILD: Final[LiteralString] = """
WITH workflow AS (
    SELECT workflow_id, target, is_task OR target = 'SYSTEM' AS is_task FROM workflows
    WHERE name = %(workflow_name)s AND deleted_at IS NULL
), found AS (
    SELECT version_id FROM workflow_versions WHERE workflow_name = %(workflow_name)s AND hash = %(hash)s
), made AS (
    INSERT INTO workflow_versions (workflow_name, hash, steps)
    SELECT %(workflow_name)s, %(hash)s, %(steps)s::jsonb WHERE NOT EXISTS (SELECT FROM found)
    ON CONFLICT (workflow_name, hash) DO UPDATE SET hash = EXCLUDED.hash
    RETURNING version_id
), process AS (
    INSERT INTO processes (process_id, workflow_id, version_id, target, is_task, step_key, state, created_by,
                           parent_seq, parent_position, parent_generation, parent_branch)
    SELECT %(process_id)s, workflow_id, version_id, target, is_task, %(step_key)s, %(state)s::jsonb, %(created_by)s,
           %(parent_seq)s, %(parent_position)s, %(parent_generation)s, %(branch)s
    FROM workflow, (SELECT version_id FROM found UNION ALL SELECT version_id FROM made) AS version
    RETURNING seq, version_id, state, step_key, target, is_task
), start AS (
    INSERT INTO process_starts (process_seq, generation, version_id, position, step_key, cause, state, created_by)
    SELECT seq, 1, version_id, 0, step_key, 'start', state, %(created_by)s FROM process
)
SELECT seq, %(process_id)s::uuid, %(workflow_name)s, step_key, target, is_task FROM process
"""

# Whether the step has started its children: no row if it has not, also when it failed before. Those of a process that
# was migrated came along, and the row of the step that started them stands at its old place.
HAVE_STARTED: Final[LiteralString] = """
SELECT true FROM process_steps
WHERE process_seq = %(seq)s AND position = %(position)s AND generation = %(generation)s AND key = %(key)s
  AND status = 'waiting'
UNION ALL
SELECT true FROM processes
WHERE parent_seq = %(seq)s AND parent_position = %(position)s AND parent_generation = %(generation)s
LIMIT 1
"""

# How many branches of a step are still under way, and which were aborted.
COUNT_CHILDREN: Final[LiteralString] = """
SELECT count(DISTINCT parent_branch) FILTER (WHERE status NOT IN ('completed', 'aborted')),
       array_agg(DISTINCT parent_branch) FILTER (WHERE status = 'aborted')
FROM processes
WHERE parent_seq = %(seq)s AND parent_position = %(position)s AND parent_generation = %(generation)s
"""

# In the record of a child that ends, before END_WAIT.
LOCK_PARENT: Final[LiteralString] = "SELECT seq FROM processes WHERE seq = %(seq)s FOR NO KEY UPDATE"

# The parent goes on, if it still waits for the children of that step and none of them is under way. One that is paused
# waits until it is not.
END_WAIT: Final[LiteralString] = """
UPDATE processes p
SET status = 'resumed', waiting_for = NULL, waiting_since = NULL, rung_at = clock_timestamp(),
    last_modified_at = clock_timestamp(), change_seq = p.change_seq + 1
FROM processes child, workflow_versions v
WHERE child.seq = %(seq)s AND p.seq = child.parent_seq AND v.version_id = p.version_id
  AND p.status = 'waiting' AND p.waiting_for = 'children' AND NOT p.paused
  AND p.position = child.parent_position AND p.generation = child.parent_generation
  AND NOT EXISTS (
    SELECT FROM processes c
    WHERE c.parent_seq = p.seq AND c.parent_position = p.position AND c.parent_generation = p.generation
      AND c.status NOT IN ('completed', 'aborted')
  )
RETURNING p.seq, p.process_id, v.workflow_name, coalesce(p.step_key, ''), p.target, p.is_task
"""

# Parents whose children ended without a record of a worker's (aborted, skipped, answered), or whose join was missed.
# One that is woken too early does no harm: its step counts again.
WAKE_PARENTS: Final[LiteralString] = """
UPDATE processes SET status = 'resumed', waiting_for = NULL, last_modified_at = clock_timestamp(),
       change_seq = change_seq + 1, rung_at = to_timestamp(0)
WHERE seq IN (
    SELECT seq FROM processes p
    WHERE waiting_for = 'children' AND status = 'waiting' AND NOT paused AND (SELECT engine_open())
      AND NOT EXISTS (
        SELECT FROM processes c
        WHERE c.parent_seq = p.seq AND c.parent_position = p.position AND c.parent_generation = p.generation
          AND c.status NOT IN ('completed', 'aborted')
      )
    ORDER BY seq LIMIT %(most)s FOR NO KEY UPDATE SKIP LOCKED
) AND status = 'waiting' AND waiting_for = 'children'
"""
