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
