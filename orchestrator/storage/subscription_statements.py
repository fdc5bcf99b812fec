"""Reading a subscription with its blocks, and its product: one statement each, returned as plain frozen rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session

from orchestrator.storage.block_trees import TREE_COLUMNS, WITH_BLOCKS_OF_SUBSCRIPTION, TreeRows, read_rows


@dataclass(frozen=True)
class ProductRow:
    """A product and its fixed inputs, as text by name."""

    product_id: UUID
    name: str
    description: str
    product_type: str
    tag: str
    status: str
    created_at: datetime
    end_date: datetime | None
    fixed_inputs: dict[str, str]


@dataclass(frozen=True)
class SubscriptionRow:
    """The scalar values of a subscription."""

    subscription_id: UUID
    customer_id: str
    description: str
    status: str
    insync: bool
    start_date: datetime | None
    end_date: datetime | None
    note: str | None
    version: int
    held_by: UUID | None


@dataclass(frozen=True)
class SubscriptionTree:
    """A subscription with everything that its model needs; its blocks and links are JSON, as they came."""

    subscription: SubscriptionRow
    product: ProductRow
    blocks: str | None
    links: str | None

    def rows(self) -> TreeRows:
        """The blocks; each call gives rows of its own, so that who changes a value changes nobody else's."""
        return read_rows(self.blocks, self.links, self.subscription.subscription_id, self.subscription.status)


_PRODUCT_COLUMNS: Final[LiteralString] = """
    p.product_id, p.name AS product_name, p.description AS product_description, p.product_type, p.tag AS product_tag,
    p.status AS product_status, p.created_at AS product_created_at, p.end_date AS product_end_date,
    (SELECT jsonb_object_agg(f.name, f.value) FROM fixed_inputs f WHERE f.product_id = p.product_id) AS fixed_inputs
"""

_FIND_PRODUCT: Final = text("SELECT" + _PRODUCT_COLUMNS + "FROM products p WHERE p.product_id = :product_id")

_LOAD_SUBSCRIPTION: Final = text(f"""
{WITH_BLOCKS_OF_SUBSCRIPTION}
SELECT s.subscription_id, s.customer_id, s.description, s.status, s.insync, s.start_date, s.end_date, s.note,
       s.version, s.held_by, {_PRODUCT_COLUMNS}, {TREE_COLUMNS}
FROM subscriptions s JOIN products p USING (product_id) WHERE s.subscription_id = :subscription_id
""")  # noqa: S608 - only constants


def find_product(session: Session, product_id: UUID) -> ProductRow | None:
    """The product, or None."""
    session.flush()
    row = session.execute(_FIND_PRODUCT, {"product_id": product_id}).mappings().one_or_none()
    return None if row is None else _product(row)


def load_subscription(session: Session, subscription_id: UUID) -> SubscriptionTree | None:
    """The subscription with its product and all blocks, in one statement; None when there is none."""
    session.flush()
    row = session.execute(_LOAD_SUBSCRIPTION, {"subscription_id": subscription_id}).mappings().one_or_none()
    if row is None:
        return None
    subscription = SubscriptionRow(
        subscription_id=row["subscription_id"],
        customer_id=row["customer_id"],
        description=row["description"],
        status=row["status"],
        insync=row["insync"],
        start_date=row["start_date"],
        end_date=row["end_date"],
        note=row["note"],
        version=row["version"],
        held_by=row["held_by"],
    )
    return SubscriptionTree(subscription, _product(row), row["blocks"], row["links"])


def _product(row: RowMapping) -> ProductRow:
    return ProductRow(
        product_id=row["product_id"],
        name=row["product_name"],
        description=row["product_description"],
        product_type=row["product_type"],
        tag=row["product_tag"],
        status=row["product_status"],
        created_at=row["product_created_at"],
        end_date=row["product_end_date"],
        fixed_inputs=row["fixed_inputs"] or {},
    )
