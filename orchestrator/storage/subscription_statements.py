"""Reading a subscription with its blocks, and its product: one statement each, returned as plain frozen rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy import RowMapping, text
from sqlalchemy.orm import Session


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


class BlockRow(NamedTuple):
    """One block: its kind, its owner with the owner's status, its values as JSON. A tuple, as there are many."""

    subscription_instance_id: UUID
    name: str
    subscription_id: UUID
    status: str
    label: str | None
    root_attribute: str | None
    values: dict[str, Any]


@dataclass(frozen=True)
class TreeRows:
    """Blocks by id (roots in their order), and what refers to what: block, attribute, ids in their order.

    The ids in them are text: it is hashed and compared much faster than UUIDs are.
    """

    blocks: dict[str, BlockRow]
    links: dict[str, dict[str, list[str]]]


@dataclass(frozen=True)
class SubscriptionTree:
    """A subscription with everything that its model needs; its blocks and links are JSON, as they came."""

    subscription: SubscriptionRow
    product: ProductRow
    blocks: str | None
    links: str | None

    def rows(self) -> TreeRows:
        """The blocks; each call gives rows of its own, so that who changes a value changes nobody else's."""
        return _tree(self.blocks, self.links)


_PRODUCT_COLUMNS: Final[LiteralString] = """
    p.product_id, p.name AS product_name, p.description AS product_description, p.product_type, p.tag AS product_tag,
    p.status AS product_status, p.created_at AS product_created_at, p.end_date AS product_end_date,
    (SELECT jsonb_object_agg(f.name, f.value) FROM fixed_inputs f WHERE f.product_id = p.product_id) AS fixed_inputs
"""

# UNION keeps each block once, however many ways lead to it, and ends when blocks refer to each other in a circle.
_TREE_COLUMNS: Final[LiteralString] = """
    (SELECT json_agg(json_build_array(
                i.subscription_instance_id, b.name, i.subscription_id, o.status, i.label, i.root_attribute, i."values")
            ORDER BY i.root_order, i.subscription_instance_id)
     FROM tree t
     JOIN subscription_instances i USING (subscription_instance_id)
     JOIN product_blocks b USING (product_block_id)
     JOIN subscriptions o ON o.subscription_id = i.subscription_id)::text AS blocks,
    (SELECT json_agg(json_build_array(r.in_use_by_id, r.domain_model_attr, r.depends_on_id)
            ORDER BY r.in_use_by_id, r.domain_model_attr, r.order_id)
     FROM tree t
     JOIN subscription_instance_relations r ON r.in_use_by_id = t.subscription_instance_id)::text AS links
"""

_FIND_PRODUCT: Final = text("SELECT" + _PRODUCT_COLUMNS + "FROM products p WHERE p.product_id = :product_id")

# A subscription with all its blocks, those of other subscriptions that it refers to included.
# All its own are where it begins: from the roots alone it would be a step of the recursion for each level.
_LOAD_SUBSCRIPTION: Final = text(
    "".join(
        (
            """
WITH RECURSIVE tree AS (
    SELECT subscription_instance_id FROM subscription_instances
    WHERE subscription_id = :subscription_id
    UNION
    SELECT r.depends_on_id FROM tree t
    JOIN subscription_instance_relations r ON r.in_use_by_id = t.subscription_instance_id
)
SELECT s.subscription_id, s.customer_id, s.description, s.status, s.insync, s.start_date, s.end_date, s.note,
       s.version, s.held_by,
""",
            _PRODUCT_COLUMNS,
            ",",
            _TREE_COLUMNS,
            "FROM subscriptions s JOIN products p USING (product_id) WHERE s.subscription_id = :subscription_id",
        )
    )
)

# One block with all that it refers to.
_LOAD_BLOCK: Final = text(
    "".join(
        (
            """
WITH RECURSIVE tree AS (
    SELECT subscription_instance_id FROM subscription_instances
    WHERE subscription_instance_id = :subscription_instance_id
    UNION
    SELECT r.depends_on_id FROM tree t
    JOIN subscription_instance_relations r ON r.in_use_by_id = t.subscription_instance_id
)
SELECT
""",
            _TREE_COLUMNS,
        )
    )
)


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


def load_block(session: Session, subscription_instance_id: UUID) -> TreeRows | None:
    """A block with all blocks that it refers to, in one statement; None when there is none."""
    session.flush()
    row = session.execute(_LOAD_BLOCK, {"subscription_instance_id": subscription_instance_id}).mappings().one()
    tree = _tree(row["blocks"], row["links"])
    return tree if tree.blocks else None


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


_UUIDS: Final = TypeAdapter(list[UUID])


def _tree(blocks: str | None, links: str | None) -> TreeRows:
    found = orjson.loads(blocks) if blocks else []
    owners = {owner: UUID(owner) for owner in {row[2] for row in found}}
    # Pydantic makes them several times as fast as UUID() does.
    identifiers = _UUIDS.validate_python([row[0] for row in found])
    rows = {
        key: BlockRow(identifier, name, owners[owner], status, label, root_attribute, values)
        for identifier, (key, name, owner, status, label, root_attribute, values) in zip(
            identifiers, found, strict=True
        )
    }
    below: dict[str, dict[str, list[str]]] = {}
    for in_use_by, attribute, depends_on in orjson.loads(links) if links else ():
        below.setdefault(in_use_by, {}).setdefault(attribute, []).append(depends_on)
    return TreeRows(rows, below)


def root_links(tree: TreeRows, subscription_id: UUID) -> dict[str, list[str]]:
    """The root blocks of a subscription by attribute; other subscriptions' roots in the tree are not among them."""
    roots: dict[str, list[str]] = {}
    for key, block in tree.blocks.items():
        if block.root_attribute is not None and block.subscription_id == subscription_id:
            roots.setdefault(block.root_attribute, []).append(key)
    return roots
