"""The catalog as the database has it, with how much of it is in use: four statements, returned as frozen values."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

ENDED = "end of life"


@dataclass(frozen=True)
class StoredProduct:
    """A product: the names of its blocks and workflows, and how many subscriptions it has in each status."""

    name: str
    product_type: str
    tag: str
    description: str
    status: str
    fixed_inputs: Mapping[str, str]
    blocks: frozenset[str]
    workflows: frozenset[str]
    subscriptions: Mapping[str, int]


@dataclass(frozen=True)
class StoredValues:
    """How many blocks have a value of one name, by the status of their subscriptions, and which kinds of JSON it is."""

    counts: Mapping[str, int]
    kinds: frozenset[str]


@dataclass(frozen=True)
class StoredBlock:
    """A product block: its resource types with the names of their types, and what subscriptions have of it.

    `instances` counts the blocks by the status of their subscriptions; `values` tells of each name in them, whether
    there is a resource type of that name or not. A null is no value.
    """

    name: str
    status: str
    resource_types: Mapping[str, str | None]
    depends_on: frozenset[str]
    instances: Mapping[str, int]
    values: Mapping[str, StoredValues]


@dataclass(frozen=True)
class StoredWorkflow:
    """A workflow that is not deleted, the products that it is for, and how many unfinished processes and schedules it
    has."""

    name: str
    target: str
    description: str
    is_task: bool
    products: frozenset[str]
    unfinished: int
    schedules: int


@dataclass(frozen=True)
class StoredCatalog:
    """Everything, by name. `resource_types` has the ids of all of them, `deleted` the names of workflows that were."""

    products: Mapping[str, StoredProduct]
    blocks: Mapping[str, StoredBlock]
    workflows: Mapping[str, StoredWorkflow]
    resource_types: Mapping[str, UUID]
    deleted: frozenset[str]


@dataclass(frozen=True)
class DistinctValue:
    """A value that so many blocks have, and the same as text."""

    value: Any
    text: str
    number: int


_PRODUCTS: Final = text("""
SELECT p.name, p.product_type, p.tag, p.description, p.status,
    (SELECT jsonb_object_agg(f.name, f.value) FROM fixed_inputs f WHERE f.product_id = p.product_id) AS fixed_inputs,
    (SELECT jsonb_agg(b.name) FROM product_product_blocks l JOIN product_blocks b USING (product_block_id)
     WHERE l.product_id = p.product_id) AS blocks,
    (SELECT jsonb_agg(w.name) FROM products_workflows l JOIN workflows w USING (workflow_id)
     WHERE l.product_id = p.product_id AND w.deleted_at IS NULL) AS workflows,
    (SELECT jsonb_object_agg(c.status, c.number)
     FROM (SELECT s.status, count(*) AS number FROM subscriptions s WHERE s.product_id = p.product_id
           GROUP BY s.status) c) AS subscriptions
FROM products p ORDER BY p.name
""")

_BLOCKS: Final = text("""
SELECT b.name, b.status,
    (SELECT jsonb_object_agg(r.resource_type, l.value_type)
     FROM product_block_resource_types l JOIN resource_types r USING (resource_type_id)
     WHERE l.product_block_id = b.product_block_id) AS resource_types,
    (SELECT jsonb_agg(d.name) FROM product_block_relations l
     JOIN product_blocks d ON d.product_block_id = l.depends_on_id
     WHERE l.in_use_by_id = b.product_block_id) AS depends_on,
    (SELECT jsonb_object_agg(c.status, c.number)
     FROM (SELECT s.status, count(*) AS number
           FROM subscription_instances i JOIN subscriptions s USING (subscription_id)
           WHERE i.product_block_id = b.product_block_id GROUP BY s.status) c) AS instances
FROM product_blocks b ORDER BY b.name
""")

# Every value of every block is looked at, once.
_VALUES: Final = text("""
SELECT b.name AS block, v.key, s.status, jsonb_typeof(v.value) AS kind, count(*) AS number
FROM subscription_instances i
JOIN product_blocks b USING (product_block_id)
JOIN subscriptions s USING (subscription_id)
CROSS JOIN LATERAL jsonb_each(i."values") v
WHERE jsonb_typeof(v.value) <> 'null'
GROUP BY b.name, v.key, s.status, jsonb_typeof(v.value)
""")

_WORKFLOWS: Final = text("""
SELECT w.name, w.target, w.description, w.is_task, w.deleted_at IS NOT NULL AS is_deleted,
    (SELECT jsonb_agg(p.name) FROM products_workflows l JOIN products p USING (product_id)
     WHERE l.workflow_id = w.workflow_id) AS products,
    (SELECT count(*) FROM processes p WHERE p.workflow_id = w.workflow_id
     AND p.status NOT IN ('completed', 'aborted')) AS unfinished,
    (SELECT count(*) FROM schedules s WHERE s.workflow_name = w.name) AS schedules
FROM workflows w ORDER BY w.name
""")

_RESOURCE_TYPES: Final = text("SELECT resource_type, resource_type_id FROM resource_types")

_DISTINCT_VALUES: Final = text("""
SELECT i."values" -> CAST(:name AS text) AS value, i."values" ->> CAST(:name AS text) AS said, count(*) AS number
FROM subscription_instances i JOIN product_blocks b USING (product_block_id)
WHERE b.name = :block AND jsonb_typeof(i."values" -> CAST(:name AS text)) <> 'null'
GROUP BY 1, 2 ORDER BY 2
""")


def read_values(connection: Connection, block: str, name: str) -> tuple[DistinctValue, ...]:
    """The different values that blocks of a kind have of one name; null is none."""
    rows = connection.execute(_DISTINCT_VALUES, {"block": block, "name": name})
    return tuple(DistinctValue(row.value, row.said, row.number) for row in rows)


def read_catalog(connection: Connection) -> StoredCatalog:
    """Read the whole catalog of a database that has the newest schema."""
    values = _values(connection)
    blocks = {
        row.name: StoredBlock(
            name=row.name,
            status=row.status,
            resource_types=row.resource_types or {},
            depends_on=frozenset(row.depends_on or ()),
            instances=row.instances or {},
            values=values.get(row.name, {}),
        )
        for row in connection.execute(_BLOCKS)
    }
    products = {
        row.name: StoredProduct(
            name=row.name,
            product_type=row.product_type,
            tag=row.tag,
            description=row.description,
            status=row.status,
            fixed_inputs=row.fixed_inputs or {},
            blocks=frozenset(row.blocks or ()),
            workflows=frozenset(row.workflows or ()),
            subscriptions=row.subscriptions or {},
        )
        for row in connection.execute(_PRODUCTS)
    }
    rows = connection.execute(_WORKFLOWS).all()
    living = {
        row.name: StoredWorkflow(
            name=row.name,
            target=row.target,
            description=row.description,
            is_task=row.is_task,
            products=frozenset(row.products or ()),
            unfinished=row.unfinished,
            schedules=row.schedules,
        )
        for row in rows
        if not row.is_deleted
    }
    return StoredCatalog(
        products=products,
        blocks=blocks,
        workflows=living,
        resource_types={row.resource_type: row.resource_type_id for row in connection.execute(_RESOURCE_TYPES)},
        deleted=frozenset(row.name for row in rows if row.is_deleted),
    )


def _values(connection: Connection) -> Mapping[str, Mapping[str, StoredValues]]:
    found: dict[str, dict[str, list[Any]]] = defaultdict(lambda: defaultdict(list))
    for row in connection.execute(_VALUES):
        found[row.block][row.key].append(row)
    return {block: {key: _stored(rows) for key, rows in keys.items()} for block, keys in found.items()}


def _stored(rows: Iterable[Any]) -> StoredValues:
    counts: dict[str, int] = defaultdict(int)
    kinds = set()
    for row in rows:
        counts[row.status] += row.number
        kinds.add(row.kind)
    return StoredValues(dict(counts), frozenset(kinds))
