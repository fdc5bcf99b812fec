<%!
from json import dumps


def quoted(value):
    if isinstance(value, str):
        return dumps(value)
    return f"({', '.join(map(dumps, value))},)" if value else "None"
%>\
"""${message}."""

from __future__ import annotations

% for line in standard_imports:
${line}
% endfor
from alembic import op
% for line in imports:
${line}
% endfor

revision = ${up_revision | n,quoted}
down_revision = ${down_revision | n,quoted}
branch_labels = ${branch_labels | n,quoted}
depends_on = ${depends_on | n,quoted}
${constants}

def upgrade() -> None:
    ${upgrades}


def downgrade() -> None:
    ${downgrades}
