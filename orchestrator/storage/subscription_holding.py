"""Taking a subscription for a process and giving it back, and which process works on which subscription."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg.errors import LockNotAvailable
from sqlalchemy import text
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from orchestrator.storage.database import dump_json
from orchestrator.storage.session import Origin
from orchestrator.storage.step_statements import GIVE_BACK_HELD


@dataclass(frozen=True)
class Holder:
    """Who has a subscription: the process and its workflow, if any, and whether the process is still under way."""

    insync: bool
    process_id: UUID | None
    workflow_name: str | None
    status: str | None


# One conditional UPDATE, so that of two workflows exactly one wins: the second waits for the first and finds no row.
_TAKE: Final = text("""
WITH taken AS (
    UPDATE subscriptions
    SET insync = false, held_by = CAST(:process_id AS uuid), version = version + 1, last_modified_at = now()
    WHERE subscription_id = :subscription_id AND insync
    RETURNING subscription_id
)
INSERT INTO subscription_changes (subscription_id, path, before, after, process_id, step_key, changed_by)
SELECT subscription_id, 'insync', jsonb 'true', jsonb 'false', CAST(:process_id AS uuid), CAST(:step_key AS text),
       CAST(:changed_by AS text)
FROM taken
RETURNING subscription_id
""")

# Out of sync already: it goes to the process that asks, unless another one that has not ended holds it.
_TAKE_OVER: Final = text("""
UPDATE subscriptions s
SET held_by = CAST(:process_id AS uuid)
WHERE s.subscription_id = :subscription_id AND NOT s.insync AND s.held_by IS DISTINCT FROM CAST(:process_id AS uuid)
AND NOT EXISTS (SELECT FROM processes p WHERE p.process_id = s.held_by AND p.status NOT IN ('completed', 'aborted'))
""")

# Nothing is given back that another process which has not ended holds.
_GIVE_BACK: Final = text("""
WITH given AS (
    UPDATE subscriptions s
    SET insync = true, held_by = NULL, version = version + 1, last_modified_at = now()
    WHERE s.subscription_id = :subscription_id AND NOT s.insync
    AND (s.held_by IS NULL OR s.held_by = CAST(:process_id AS uuid) OR NOT EXISTS (
        SELECT FROM processes p WHERE p.process_id = s.held_by AND p.status NOT IN ('completed', 'aborted')))
    RETURNING subscription_id
)
INSERT INTO subscription_changes (subscription_id, path, before, after, process_id, step_key, changed_by)
SELECT subscription_id, 'insync', jsonb 'false', jsonb 'true', CAST(:process_id AS uuid), CAST(:step_key AS text),
       CAST(:changed_by AS text)
FROM given
RETURNING subscription_id
""")

# A subscription and all that it uses or is used by, in the order of their ids: who takes one of them, or begins to use
# one, waits until this transaction has ended, and then sees what it did.
_LOCK_WITH_RELATIONS: Final = text("""
WITH own AS MATERIALIZED (
    SELECT subscription_instance_id FROM subscription_instances WHERE subscription_id = :subscription_id
)
SELECT s.subscription_id FROM subscriptions s
WHERE s.subscription_id = :subscription_id
OR s.subscription_id IN (
    SELECT i.subscription_id FROM own
    JOIN subscription_instance_relations r ON r.depends_on_id = own.subscription_instance_id
    JOIN subscription_instances i ON i.subscription_instance_id = r.in_use_by_id)
OR s.subscription_id IN (
    SELECT i.subscription_id FROM own
    JOIN subscription_instance_relations r ON r.in_use_by_id = own.subscription_instance_id
    JOIN subscription_instances i ON i.subscription_instance_id = r.depends_on_id)
ORDER BY s.subscription_id
FOR NO KEY UPDATE OF s
""")

# The rules of use are about workflows of the subscription's product.
_WORKFLOW_ON: Final = text("""
SELECT w.name, p.target, p.is_task
FROM processes p
JOIN workflows w USING (workflow_id)
JOIN products_workflows l USING (workflow_id)
JOIN subscriptions s ON s.subscription_id = :subscription_id AND s.product_id = l.product_id
WHERE p.seq = :process_seq
""")

_PATIENCE: Final = text("SELECT set_config('lock_timeout', :milliseconds, true)")

_LOCK_HELD: Final = text("""
SELECT s.subscription_id FROM subscriptions s JOIN process_subscriptions l USING (subscription_id)
WHERE l.process_seq = :seq AND NOT s.insync ORDER BY s.subscription_id FOR NO KEY UPDATE OF s
""")

_TAKE_AGAIN: Final = text("""
WITH noted AS (
    UPDATE process_subscriptions SET given_back = false WHERE process_seq = :seq AND given_back
    RETURNING subscription_id
), taken AS (
    UPDATE subscriptions s
    SET insync = false, held_by = CAST(:process_id AS uuid), version = version + 1, last_modified_at = now()
    FROM noted WHERE s.subscription_id = noted.subscription_id AND s.insync
    RETURNING s.subscription_id
)
INSERT INTO subscription_changes (subscription_id, path, before, after, process_id, step_key, changed_by)
SELECT subscription_id, 'insync', jsonb 'true', jsonb 'false', CAST(:process_id AS uuid), CAST(:step_key AS text),
       CAST(:changed_by AS text)
FROM taken
""")

_HOLDER: Final = text("""
SELECT s.insync, s.held_by AS process_id, w.name AS workflow_name, p.status
FROM subscriptions s
LEFT JOIN processes p ON p.process_id = s.held_by
LEFT JOIN workflows w USING (workflow_id)
WHERE s.subscription_id = :subscription_id
""")

_TARGET_AND_IMAGE: Final = text("""
SELECT p.target, ps.before IS NOT NULL AS has_before
FROM processes p
LEFT JOIN process_subscriptions ps ON ps.process_seq = p.seq AND ps.subscription_id = :subscription_id
WHERE p.seq = :process_seq
""")

_STORE: Final = text("""
INSERT INTO process_subscriptions (process_seq, subscription_id, before)
VALUES (:process_seq, :subscription_id, CAST(:before AS jsonb))
ON CONFLICT (process_seq, subscription_id)
DO UPDATE SET before = excluded.before
WHERE process_subscriptions.before IS NULL AND excluded.before IS NOT NULL
""")


def take(session: Session, subscription_id: UUID, origin: Origin) -> bool:
    """Take a subscription that is in sync for the process; False when it is not in sync (or does not exist)."""
    return session.execute(_TAKE, _parameters(subscription_id, origin)).one_or_none() is not None


def lock_with_relations(session: Session, subscription_id: UUID) -> None:
    """Lock a subscription and its direct relations until the end of the transaction."""
    session.execute(_LOCK_WITH_RELATIONS, {"subscription_id": subscription_id})


def workflow_on(session: Session, process_seq: int, subscription_id: UUID) -> tuple[str, str, bool] | None:
    """Name, target and whether it is a task, of the workflow of a process; None when it is none of the product's."""
    parameters = {"process_seq": process_seq, "subscription_id": subscription_id}
    row = session.execute(_WORKFLOW_ON, parameters).one_or_none()
    return None if row is None else (row.name, row.target, row.is_task)


def take_over(session: Session, subscription_id: UUID, origin: Origin) -> None:
    """Note the process as the holder of a subscription out of sync that no process under way holds."""
    session.execute(_TAKE_OVER, {"subscription_id": subscription_id, "process_id": origin.process_id})


def give_back(session: Session, subscription_id: UUID, origin: Origin) -> bool:
    """Put a subscription in sync; False when it is already, or another process that has not ended holds it."""
    return session.execute(_GIVE_BACK, _parameters(subscription_id, origin)).one_or_none() is not None


def lock_held(session: Session, process_seq: int, patience_seconds: float) -> bool:
    """Lock what a process may hold, before the process itself is locked; False when a step keeps it locked."""
    session.execute(_PATIENCE, {"milliseconds": str(round(patience_seconds * 1000))})
    try:
        session.execute(_LOCK_HELD, {"seq": process_seq})
    except OperationalError as error:
        if isinstance(error.orig, LockNotAvailable):
            return False
        raise
    session.execute(_PATIENCE, {"milliseconds": "0"})
    return True


def give_back_held(session: Session, process_seq: int, origin: Origin) -> list[UUID]:
    """Put in sync what the process holds, and note it for `take_again`; which they are."""
    values = {
        "seq": process_seq,
        "process_id": origin.process_id,
        "key": origin.step_key,
        "changed_by": origin.changed_by,
    }
    return [row.subscription_id for row in session.connection().exec_driver_sql(GIVE_BACK_HELD, values)]


def take_again(session: Session, process_seq: int, origin: Origin) -> None:
    """Take what the process gave back when it failed, as far as nobody else has it now."""
    session.execute(
        _TAKE_AGAIN,
        {
            "seq": process_seq,
            "process_id": origin.process_id,
            "step_key": origin.step_key,
            "changed_by": origin.changed_by,
        },
    )


def holder_of(session: Session, subscription_id: UUID) -> Holder | None:
    """Who has the subscription; None when there is none."""
    row = session.execute(_HOLDER, {"subscription_id": subscription_id}).mappings().one_or_none()
    return None if row is None else Holder(**row)


def target_and_image(session: Session, process_seq: int, subscription_id: UUID) -> tuple[str, bool] | None:
    """The target of a process, and whether it has stored the subscription as it was; None when there is no process."""
    parameters = {"process_seq": process_seq, "subscription_id": subscription_id}
    row = session.execute(_TARGET_AND_IMAGE, parameters).one_or_none()
    return None if row is None else (row.target, row.has_before)


def store_process_subscription(
    session: Session, process_seq: int, subscription_id: UUID, before: dict[str, Any] | None
) -> None:
    """Record that a process works on a subscription. `before` is kept from the first time that it is known."""
    image = None if before is None else dump_json(before)
    session.execute(_STORE, {"process_seq": process_seq, "subscription_id": subscription_id, "before": image})


def _parameters(subscription_id: UUID, origin: Origin) -> dict[str, Any]:
    return {
        "subscription_id": subscription_id,
        "process_id": origin.process_id,
        "step_key": origin.step_key,
        "changed_by": origin.changed_by,
    }
