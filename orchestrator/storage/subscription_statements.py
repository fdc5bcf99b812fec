"""Reading a subscription with its blocks, and its product: one statement each, returned as plain frozen rows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, LiteralString
from uuid import UUID

from sqlalchemy.orm import Session

from orchestrator.storage.block_trees import (
    OWN_TREE_COLUMNS,
    TREE_COLUMNS,
    WITH_BLOCKS_OF_SUBSCRIPTION,
    TreeRows,
    read_rows,
)
from orchestrator.storage.direct import first_row


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
    _read: list[TreeRows] = field(default_factory=list, repr=False, compare=False)

    def rows(self) -> TreeRows:
        """The blocks; each call gives rows of its own, so that who changes a value changes nobody else's."""
        if self._read:
            return self._read.pop()
        return read_rows(self.blocks, self.links, self.subscription.subscription_id, self.subscription.status)


_PRODUCT_COLUMNS: Final[LiteralString] = """
    p.product_id, p.name, p.description, p.product_type, p.tag, p.status, p.created_at, p.end_date,
    coalesce((SELECT jsonb_object_agg(f.name, f.value) FROM fixed_inputs f WHERE f.product_id = p.product_id), '{}')
"""

_FIND_PRODUCT: Final[LiteralString] = (
    "SELECT" + _PRODUCT_COLUMNS + "FROM products p WHERE p.product_id = %(product_id)s"
)

_SUBSCRIPTION: Final[LiteralString] = f"""
SELECT s.subscription_id, s.customer_id, s.description, s.status, s.insync, s.start_date, s.end_date, s.note,
       s.version, s.held_by, {_PRODUCT_COLUMNS}, {{tree}}
FROM subscriptions s JOIN products p USING (product_id) WHERE s.subscription_id = %(subscription_id)s
"""  # noqa: S608 - only constants
_COLUMNS_OF_SUBSCRIPTION: Final = 10

_LOAD_ALONE: Final[LiteralString] = _SUBSCRIPTION.replace("{tree}", OWN_TREE_COLUMNS)
_LOAD_WITH_OTHERS: Final[LiteralString] = WITH_BLOCKS_OF_SUBSCRIPTION + _SUBSCRIPTION.replace("{tree}", TREE_COLUMNS)


def find_product(session: Session, product_id: UUID) -> ProductRow | None:
    """The product, or None."""
    row = first_row(session, _FIND_PRODUCT, {"product_id": product_id})
    return None if row is None else ProductRow(*row)


def load_subscription(
    session: Session, subscription_id: UUID, *, refers_to_others: bool = False
) -> SubscriptionTree | None:
    """The subscription with its product and all blocks, as one statement sees them; None when there is none.

    Args:
        session: with whose connection.
        subscription_id: which.
        refers_to_others: its blocks probably refer to blocks of other subscriptions. If they do, and this was not
            known, all is read once more, with them.
    """
    tree = _load(session, _LOAD_WITH_OTHERS if refers_to_others else _LOAD_ALONE, subscription_id)
    if refers_to_others or tree is None:
        return tree
    rows = tree.rows()
    if rows.has_others:
        return _load(session, _LOAD_WITH_OTHERS, subscription_id)
    return replace(tree, _read=[rows])


def _load(session: Session, statement: LiteralString, subscription_id: UUID) -> SubscriptionTree | None:
    row = first_row(session, statement, {"subscription_id": subscription_id})
    if row is None:
        return None
    *columns, blocks, links = row
    subscription = SubscriptionRow(*columns[:_COLUMNS_OF_SUBSCRIPTION])
    return SubscriptionTree(subscription, ProductRow(*columns[_COLUMNS_OF_SUBSCRIPTION:]), blocks, links)
