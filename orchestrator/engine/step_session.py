"""What `db.session` is in a step."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection as SqlAlchemyConnection
from sqlalchemy import Engine, event, text
from sqlalchemy.orm import Session, SessionTransaction

from orchestrator.errors import CommitInStepError


class StepSession(Session):
    """The session that a step sees. Only the engine ends it: `commit` is refused and `close` does nothing."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, expire_on_commit=False)
        self.may_commit = False
        self.began_at: datetime | None = None
        event.listen(self, "after_begin", self._note_begin)
        event.listen(self, "after_soft_rollback", self._note_rollback)
        event.listen(self, "before_commit", self._refuse_commit)

    def close(self) -> None:
        """Do nothing: the session lives as long as the step."""

    def _note_begin(self, _: Session, transaction: SessionTransaction, connection: SqlAlchemyConnection) -> None:
        if not transaction.nested:
            self.began_at = connection.execute(text("SELECT transaction_timestamp()")).scalar_one()

    def _note_rollback(self, _: Session, ended: SessionTransaction) -> None:
        # What the step itself rolled back is gone, as it wished; what it does next is in a transaction begun anew.
        if ended.parent is None:
            self.began_at = None

    def _refuse_commit(self, _: Session) -> None:
        # The end of a savepoint is announced as a commit too; it is the step's own affair.
        if not self.may_commit and not self.in_nested_transaction():
            raise CommitInStepError

    def end(self) -> None:
        """Roll back what was not recorded and forget all objects."""
        super().close()
