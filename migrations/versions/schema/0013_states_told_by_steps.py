"""A process that has ended need not keep a large state: its steps tell it."""

from __future__ import annotations

from alembic import op

revision = "schema_0013"
down_revision = "schema_0012"
branch_labels = None
depends_on = None

# The state with which the last generation began, then what its steps removed and set, in their order.
TELL_STATES = """
DO $$
DECLARE
    ended record;
    began record;
    step record;
    told jsonb;
BEGIN
    FOR ended IN SELECT seq FROM processes WHERE state IS NULL LOOP
        SELECT generation, state INTO began FROM process_starts
        WHERE process_seq = ended.seq ORDER BY start_id DESC LIMIT 1;
        told := began.state;
        FOR step IN
            SELECT removed, delta FROM process_steps
            WHERE process_seq = ended.seq AND generation = began.generation ORDER BY step_id
        LOOP
            told := (told - step.removed) || step.delta;
        END LOOP;
        UPDATE processes SET state = told WHERE seq = ended.seq;
    END LOOP;
END
$$
"""


def upgrade() -> None:
    op.alter_column("processes", "state", nullable=True)


def downgrade() -> None:
    op.execute(TELL_STATES)
    op.alter_column("processes", "state", nullable=False)
