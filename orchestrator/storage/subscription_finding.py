"""Finding subscriptions and products to choose from, and locking subscriptions for a check that must hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import ColumnElement, select, text
from sqlalchemy.orm import Session

from orchestrator.storage.subscription_reach import OWNERS_OF_REACHED, STEP_DOWN
from orchestrator.storage.subscription_relations import RelatedSubscription
from orchestrator.storage.tables import ProductTable, SubscriptionTable


@dataclass(frozen=True)
class FoundProduct:
    """A product, with its fixed inputs as text."""

    product_id: UUID
    name: str
    description: str
    tag: str
    fixed_inputs: dict[str, str]


_SUBSCRIPTIONS: Final = text("""
SELECT s.subscription_id, s.description, s.status, s.insync, s.customer_id, s.start_date, s.end_date, s.note, s.version,
       p.product_id, p.name AS product_name, p.product_type, p.tag
FROM subscriptions s JOIN products p USING (product_id)
WHERE p.product_type = :product_type AND s.status = ANY(:statuses)
AND (CAST(:insync AS boolean) IS NULL OR s.insync = CAST(:insync AS boolean))
AND (CAST(:customer_id AS text) IS NULL OR s.customer_id = CAST(:customer_id AS text))
ORDER BY s.seq
LIMIT :most
""")

_PRODUCTS: Final = text("""
SELECT p.product_id, p.name, p.description, p.tag,
       COALESCE((SELECT jsonb_object_agg(f.name, f.value) FROM fixed_inputs f WHERE f.product_id = p.product_id),
                '{}') AS fixed_inputs
FROM products p WHERE p.product_type = :product_type AND p.status = 'active' ORDER BY p.name
""")

# In the order of their ids, so that two who lock several of them wait for each other and never in a circle. With all
# that they use, because a save that refers to one of them locks that as well.
_LOCK: Final = text(f"""
WITH RECURSIVE reach (node) AS (
    SELECT subscription_instance_id FROM subscription_instances WHERE subscription_id = ANY(:ids)
    UNION
    SELECT l.depends_on_id FROM {STEP_DOWN}
)
SELECT s.subscription_id FROM subscriptions s
WHERE s.subscription_id = ANY(:ids) OR s.subscription_id = ANY (ARRAY({OWNERS_OF_REACHED}))
ORDER BY s.subscription_id
FOR NO KEY UPDATE OF s
""")  # noqa: S608 - only constants


def find_subscriptions(
    session: Session,
    product_type: str,
    statuses: Sequence[str],
    insync: bool | None,
    customer_id: str | None,
    most: int,
) -> list[RelatedSubscription]:
    """Subscriptions to products of a type, in one of these statuses, oldest first."""
    parameters: dict[str, Any] = {
        "product_type": product_type,
        "statuses": list(statuses),
        "insync": insync,
        "customer_id": customer_id,
        "most": most,
    }
    return [RelatedSubscription(**row) for row in session.execute(_SUBSCRIPTIONS, parameters).mappings()]


def find_products(session: Session, product_type: str) -> list[FoundProduct]:
    """The active products of a type, by name."""
    rows = session.execute(_PRODUCTS, {"product_type": product_type}).mappings()
    return [FoundProduct(**row) for row in rows]


def lock_subscriptions(session: Session, subscription_ids: Sequence[UUID]) -> set[UUID]:
    """Lock the rows, and those of all that they use, until the end of the transaction; which these are."""
    return set(session.execute(_LOCK, {"ids": list(subscription_ids)}).scalars())


def of_product(session: Session, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    """True for subscriptions to the products for which a condition holds. Those are looked up, because the planner
    cannot guess how many subscriptions refer to them."""
    return SubscriptionTable.product_id.in_(session.scalars(select(ProductTable.product_id).where(condition)).all())
