"""What alembic runs around the revisions. `orchestrator.storage.migrating` hands it a connection and holds the lock."""

from __future__ import annotations

from alembic import context
from sqlalchemy import Connection, text

from orchestrator.storage.tables import Base

# A revision that waits for a table makes all others wait behind it: rather give up and be run again.
LOCK_TIMEOUT = "5s"


def run(connection: Connection) -> None:
    """Run the revisions that were asked for, each in a transaction of its own."""
    connection.execute(text("SELECT set_config('lock_timeout', :value, false)"), {"value": LOCK_TIMEOUT})
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
        transaction_per_migration=True,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
