"""Which subscriptions and blocks use which, and what decides whether a workflow may run on a subscription."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import TextClause, text
from sqlalchemy.orm import Session


@dataclass(frozen=True)
class BlockUse:
    """The other end of a relation between two blocks, and the attribute that makes it.

    `status` is that of the subscription that owns it, `values` are its resource types as they are stored.
    """

    subscription_instance_id: UUID
    name: str
    label: str | None
    subscription_id: UUID
    status: str
    attribute: str
    order: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class RelatedSubscription:
    """A subscription that uses another, or is used by it."""

    subscription_id: UUID
    description: str
    status: str
    insync: bool
    customer_id: str
    start_date: datetime | None
    end_date: datetime | None
    note: str | None
    version: int
    product_id: UUID
    product_name: str
    product_type: str
    tag: str


@dataclass(frozen=True)
class UsageRow:
    """What decides whether workflows may run: the subscription, its relations out of sync, its users not terminated.

    `held_by` is the process that holds it, with its workflow's name and its status.
    """

    subscription_id: UUID
    product_id: UUID
    status: str
    insync: bool
    version: int
    held_by: tuple[UUID, str, str] | None
    locked_relations: tuple[UUID, ...]
    unterminated_in_use_by_subscriptions: tuple[UUID, ...]


_BLOCKS_USING: Final = text("""
SELECT i.subscription_instance_id, b.name, i.label, i.subscription_id, s.status, r.domain_model_attr AS attribute,
       r.order_id AS "order", i."values"
FROM subscription_instance_relations r
JOIN subscription_instances i ON i.subscription_instance_id = r.in_use_by_id
JOIN subscriptions s USING (subscription_id)
JOIN product_blocks b USING (product_block_id)
WHERE r.depends_on_id = :subscription_instance_id
ORDER BY i.subscription_instance_id, r.domain_model_attr, r.order_id
""")

_BLOCKS_DEPENDED_ON: Final = text("""
SELECT i.subscription_instance_id, b.name, i.label, i.subscription_id, s.status, r.domain_model_attr AS attribute,
       r.order_id AS "order", i."values"
FROM subscription_instance_relations r
JOIN subscription_instances i ON i.subscription_instance_id = r.depends_on_id
JOIN subscriptions s USING (subscription_id)
JOIN product_blocks b USING (product_block_id)
WHERE r.in_use_by_id = :subscription_instance_id
ORDER BY r.domain_model_attr, r.order_id
""")

_RELATED: Final = """
SELECT s.subscription_id, s.description, s.status, s.insync, s.customer_id, s.start_date, s.end_date, s.note, s.version,
       p.product_id, p.name AS product_name, p.product_type, p.tag
FROM subscriptions s JOIN products p USING (product_id)
WHERE s.subscription_id IN (
    SELECT other.subscription_id
    FROM subscription_instances own
    JOIN subscription_instance_relations r ON r.{own_end} = own.subscription_instance_id
    JOIN subscription_instances other ON other.subscription_instance_id = r.{other_end}
    WHERE own.subscription_id = :subscription_id AND other.subscription_id <> :subscription_id)
ORDER BY s.seq
"""
_IN_USE_BY: Final = text(_RELATED.format(own_end="depends_on_id", other_end="in_use_by_id"))
_DEPENDS_ON: Final = text(_RELATED.format(own_end="in_use_by_id", other_end="depends_on_id"))

# Relations count in both directions: one that is out of sync locks, a user that is not terminated blocks. One that is
# terminated does neither, or an abandoned termination would lock its relations for ever.
_USAGE: Final = text("""
WITH own AS MATERIALIZED (
    SELECT subscription_instance_id FROM subscription_instances WHERE subscription_id = :subscription_id
), users AS (
    SELECT DISTINCT i.subscription_id FROM own
    JOIN subscription_instance_relations r ON r.depends_on_id = own.subscription_instance_id
    JOIN subscription_instances i ON i.subscription_instance_id = r.in_use_by_id
    WHERE i.subscription_id <> :subscription_id
), used AS (
    SELECT DISTINCT i.subscription_id FROM own
    JOIN subscription_instance_relations r ON r.in_use_by_id = own.subscription_instance_id
    JOIN subscription_instances i ON i.subscription_instance_id = r.depends_on_id
    WHERE i.subscription_id <> :subscription_id
)
SELECT s.subscription_id, s.product_id, s.status, s.insync, s.version,
    p.process_id, w.name AS workflow_name, p.status AS process_status,
    ARRAY(SELECT o.subscription_id FROM subscriptions o
          WHERE o.subscription_id IN (SELECT subscription_id FROM users UNION SELECT subscription_id FROM used)
          AND NOT o.insync AND o.status <> 'terminated'
          AND (CAST(:process_id AS uuid) IS NULL OR o.held_by IS DISTINCT FROM CAST(:process_id AS uuid))
          ORDER BY o.seq) AS locked,
    ARRAY(SELECT o.subscription_id FROM subscriptions o
          WHERE o.subscription_id IN (SELECT subscription_id FROM users)
          AND o.status <> 'terminated' ORDER BY o.seq) AS unterminated
FROM subscriptions s
LEFT JOIN processes p ON p.process_id = s.held_by
LEFT JOIN workflows w USING (workflow_id)
WHERE s.subscription_id = :subscription_id
""")


def blocks_using(session: Session, subscription_instance_id: UUID) -> tuple[BlockUse, ...]:
    """The blocks that refer to this one."""
    return _uses(session, _BLOCKS_USING, subscription_instance_id)


def blocks_depended_on(session: Session, subscription_instance_id: UUID) -> tuple[BlockUse, ...]:
    """The blocks that this one refers to."""
    return _uses(session, _BLOCKS_DEPENDED_ON, subscription_instance_id)


def subscriptions_using(session: Session, subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """The subscriptions with a block that refers to one of this subscription's, oldest first."""
    rows = session.execute(_IN_USE_BY, {"subscription_id": subscription_id}).mappings()
    return [RelatedSubscription(**row) for row in rows]


def subscriptions_depended_on(session: Session, subscription_id: UUID) -> Sequence[RelatedSubscription]:
    """The subscriptions whose blocks this subscription's blocks refer to, oldest first."""
    rows = session.execute(_DEPENDS_ON, {"subscription_id": subscription_id}).mappings()
    return [RelatedSubscription(**row) for row in rows]


def usage_of(session: Session, subscription_id: UUID, process_id: UUID | None = None) -> UsageRow | None:
    """What decides whether workflows may run on the subscription, in one statement; None when there is none.

    Relations that the process of `process_id` holds are not out of sync for it.
    """
    row = session.execute(_USAGE, {"subscription_id": subscription_id, "process_id": process_id}).one_or_none()
    if row is None:
        return None
    return UsageRow(
        subscription_id=row.subscription_id,
        product_id=row.product_id,
        status=row.status,
        insync=row.insync,
        version=row.version,
        held_by=None if row.process_id is None else (row.process_id, row.workflow_name, row.process_status),
        locked_relations=tuple(row.locked),
        unterminated_in_use_by_subscriptions=tuple(row.unterminated),
    )


def _uses(session: Session, statement: TextClause, subscription_instance_id: UUID) -> tuple[BlockUse, ...]:
    rows = session.execute(statement, {"subscription_instance_id": subscription_instance_id}).mappings()
    return tuple(BlockUse(**row) for row in rows)
