"""${message}."""

from __future__ import annotations

from alembic import op
% for line in imports:
${line}
% endfor

revision = ${up_revision | quoted}
down_revision = ${down_revision | quoted}
branch_labels = ${branch_labels | quoted}
depends_on = ${depends_on | quoted}


def upgrade() -> None:
    ${upgrades}


def downgrade() -> None:
    ${downgrades}
