"""Blocks with all that they refer to: the statements that read them as JSON, and the rows that are made of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, LiteralString, NamedTuple
from uuid import UUID

import orjson
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from orchestrator.storage.direct import first_row
from orchestrator.storage.subscription_reach import STEP_DOWN


class BlockRow(NamedTuple):
    """One block: its kind, its owner with the owner's status, its values as JSON. A tuple, as there are many."""

    subscription_instance_id: UUID
    name: str
    subscription_id: UUID
    status: str
    label: str | None
    root_attribute: str | None
    root_order: int
    values: dict[str, Any]


@dataclass(frozen=True)
class TreeRows:
    """Blocks by id, and what refers to what: block, attribute, ids in their order.

    The ids in them are text: it is hashed and compared much faster than UUIDs are.

    Attributes:
        has_others: there are blocks of other subscriptions, or references to some that are not among the blocks.
    """

    blocks: dict[str, BlockRow]
    links: dict[str, dict[str, list[str]]]
    has_others: bool


# Blocks are looked up by arrays of ids, not joined: the planner knows nothing of how many they are, and would rather
# read all that there are than look up the 20,000 that it expects. UNION keeps each block once, however many ways lead
# to it, and ends when blocks refer to each other in a circle.
_REACHED: Final[LiteralString] = """
reached_blocks AS (
    SELECT i.subscription_instance_id, i.product_block_id, i.label, i.root_attribute, i.root_order, i."values",
           i.subscription_id, s.status
    FROM subscription_instances i JOIN subscriptions s USING (subscription_id)
    WHERE i.subscription_instance_id = ANY (ARRAY(SELECT node FROM reach))
), reached_links AS (
    SELECT in_use_by_id, domain_model_attr, order_id, depends_on_id FROM subscription_instance_relations
    WHERE in_use_by_id = ANY (ARRAY(SELECT node FROM reach))
)"""

# The blocks of a subscription and their links, by its index; and what they refer to beyond them, step by step.
WITH_BLOCKS_OF_SUBSCRIPTION: Final[LiteralString] = f"""
WITH RECURSIVE own_blocks AS MATERIALIZED (
    SELECT subscription_instance_id, product_block_id, label, root_attribute, root_order, "values"
    FROM subscription_instances WHERE subscription_id = %(subscription_id)s
), own_links AS MATERIALIZED (
    SELECT in_use_by_id, domain_model_attr, order_id, depends_on_id FROM subscription_instance_relations
    WHERE in_use_by_id = ANY (ARRAY(SELECT subscription_instance_id FROM own_blocks))
), reach (node) AS (
    SELECT l.depends_on_id FROM own_links l
    WHERE NOT EXISTS (SELECT FROM own_blocks o WHERE o.subscription_instance_id = l.depends_on_id)
    UNION
    SELECT l.depends_on_id FROM {STEP_DOWN}
    WHERE NOT EXISTS (SELECT FROM own_blocks o WHERE o.subscription_instance_id = l.depends_on_id)
), {_REACHED}, blocks AS (
    SELECT *, CAST(NULL AS uuid) AS subscription_id, CAST(NULL AS text) AS status FROM own_blocks
    UNION ALL SELECT * FROM reached_blocks
), links AS (
    SELECT * FROM own_links UNION ALL SELECT * FROM reached_links
)
"""  # noqa: S608 - only constants

# One list of blocks and one of links, in JSON, with all that belongs to one after what belongs to the one before. Text
# that is put together takes half as long as JSON that is built, and a list of all is read faster than a list of lists.
_BLOCK: Final[LiteralString] = """
    string_agg('"' || i.subscription_instance_id || b.name || {owner} || coalesce(to_json(i.label) || ',', 'null,') ||
        coalesce(to_json(i.root_attribute) || ',', 'null,') || i.root_order || ',' || i."values", ',')
"""
_OWNER: Final[LiteralString] = (
    """coalesce('"' || i.subscription_id || '",' || to_json(i.status) || ',', 'null,null,')"""
)
_PRODUCT_BLOCKS: Final[LiteralString] = """
    (SELECT product_block_id, '",' || to_json(name) || ',' AS name FROM product_blocks OFFSET 0) b
"""
_LINK: Final[LiteralString] = """
    string_agg('"' || l.in_use_by_id || '",' || to_json(l.domain_model_attr) || ',"' || l.depends_on_id || '"', ','
        ORDER BY l.order_id)
"""

# Of the blocks and links that a WITH has found. No owner stands for the subscription that was asked for.
TREE_COLUMNS: Final[LiteralString] = f"""
    (SELECT '[' || {_BLOCK.replace("{owner}", _OWNER)} || ']'
     FROM blocks i JOIN {_PRODUCT_BLOCKS} USING (product_block_id)) AS blocks,
    (SELECT '[' || {_LINK} || ']' FROM links l) AS links
"""  # noqa: S608 - only constants

# The same of a subscription's own blocks and their links alone.
OWN_TREE_COLUMNS: Final[LiteralString] = f"""
    (SELECT '[' || {_BLOCK.replace("{owner}", "'null,null,'")} || ']'
     FROM subscription_instances i JOIN {_PRODUCT_BLOCKS} USING (product_block_id)
     WHERE i.subscription_id = %(subscription_id)s) AS blocks,
    (SELECT '[' || {_LINK} || ']'
     FROM subscription_instance_relations l
     WHERE l.in_use_by_id = ANY (ARRAY(
         SELECT subscription_instance_id FROM subscription_instances WHERE subscription_id = %(subscription_id)s))
    ) AS links
"""  # noqa: S608 - only constants

_LOAD_BLOCK: Final[LiteralString] = f"""
WITH RECURSIVE reach (node) AS (
    SELECT CAST(%(subscription_instance_id)s AS uuid) UNION SELECT l.depends_on_id FROM {STEP_DOWN}
), {_REACHED}, blocks AS (SELECT * FROM reached_blocks), links AS (SELECT * FROM reached_links)
SELECT {TREE_COLUMNS}
"""  # noqa: S608 - only constants

_UUIDS: Final = TypeAdapter(list[UUID])
# As `_make` does, without what is called in between: there are many.
_make_row: Final[Callable[[tuple[Any, ...]], BlockRow]] = partial(tuple.__new__, BlockRow)


def load_block(session: Session, subscription_instance_id: UUID) -> TreeRows | None:
    """A block with all blocks that it refers to, in one statement; None when there is none."""
    row = first_row(session, _LOAD_BLOCK, {"subscription_instance_id": subscription_instance_id})
    return None if row is None or row[0] is None else read_rows(*row)


def read_rows(blocks: str | None, links: str | None, subscription_id: UUID | None = None, status: str = "") -> TreeRows:
    """The rows of a tree's JSON; the subscription and its status are those of blocks that name no owner."""
    found = orjson.loads(blocks) if blocks else []
    owners: dict[str | None, UUID] = {owner: UUID(owner) for owner in set(found[2::8]) if owner is not None}
    if subscription_id is not None:
        owners[None] = subscription_id
    # Pydantic makes them several times as fast as UUID() does.
    identifiers = _UUIDS.validate_python(found[::8])
    has_others = len(owners) > 1
    rows = {
        key: _make_row((identifier, name, owners[owner], owner_status or status, label, attribute, order, values))
        for identifier, (key, name, owner, owner_status, label, attribute, order, values) in zip(
            identifiers, _each(found, 8), strict=True
        )
    }
    below: dict[str, dict[str, list[str]]] = {}
    for in_use_by, attribute, depends_on in _each(orjson.loads(links) if links else [], 3):
        below.setdefault(in_use_by, {}).setdefault(attribute, []).append(depends_on)
        if depends_on not in rows:
            has_others = True
    return TreeRows(rows, below, has_others)


def _each(values: list[Any], length: int) -> Iterator[tuple[Any, ...]]:
    return zip(*[iter(values)] * length, strict=True)


def root_links(tree: TreeRows, subscription_id: UUID) -> dict[str, list[str]]:
    """The root blocks of a subscription by attribute, in their order; other subscriptions' are not among them."""
    found = [
        (block.root_order, key, block.root_attribute)
        for key, block in tree.blocks.items()
        if block.root_attribute is not None and block.subscription_id == subscription_id
    ]
    roots: dict[str, list[str]] = {}
    for _, key, attribute in sorted(found):
        roots.setdefault(attribute, []).append(key)
    return roots
