"""Values of subscriptions in data revisions: filled in, renamed, converted, taken away and given back.

Each call is one or two statements, however many subscriptions there are. Whoever saves a subscription meanwhile waits;
a process that loaded one before, and saves it afterwards, is refused where the two would contradict each other: the
version of the subscription has moved.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import orjson
from sqlalchemy import Connection, select, text, update

from orchestrator.errors import DataRevisionError
from orchestrator.migrations.rows import block_id_of, resource_type_id_of
from orchestrator.storage.tables import (
    ProductBlockTable,
    ResourceTypeTable,
    product_block_resource_types,
)

JsonKind = Literal["string", "number", "boolean"]

# Readers go on. Who holds rows of this table ends first; who wants to save waits, and no two wait for each other.
_LOCK: Final = text("LOCK TABLE subscriptions IN EXCLUSIVE MODE")

_FILL: Final = text("""
UPDATE subscription_instances i
SET "values" = i."values" || jsonb_build_object(CAST(:name AS text), CAST(:value AS jsonb))
FROM subscriptions s
WHERE i.product_block_id = :block_id AND s.subscription_id = i.subscription_id
  AND s.status <> 'terminated' AND coalesce(i."values" -> CAST(:name AS text), 'null') = 'null'
RETURNING i.subscription_id
""")

_TAKE: Final = text("""
WITH taken AS (
    INSERT INTO retired_values (revision, subscription_instance_id, name, value)
    SELECT :revision, subscription_instance_id, :name, "values" -> CAST(:name AS text)
    FROM subscription_instances WHERE product_block_id = :block_id AND "values" ? CAST(:name AS text)
    RETURNING subscription_instance_id
)
UPDATE subscription_instances i SET "values" = i."values" - CAST(:name AS text)
FROM taken WHERE i.subscription_instance_id = taken.subscription_instance_id
RETURNING i.subscription_id
""")

_GIVE_BACK: Final = text("""
WITH kept AS (
    DELETE FROM retired_values v USING subscription_instances i
    WHERE v.revision = :revision AND v.name = :name
      AND i.subscription_instance_id = v.subscription_instance_id AND i.product_block_id = :block_id
    RETURNING v.subscription_instance_id, v.value
)
UPDATE subscription_instances i SET "values" = i."values" || jsonb_build_object(CAST(:name AS text), kept.value)
FROM kept WHERE i.subscription_instance_id = kept.subscription_instance_id
RETURNING i.subscription_id
""")

# What stands under the new name already was left there by somebody; it is not overwritten.
_RENAME: Final = text("""
UPDATE subscription_instances i
SET "values" = i."values" - CAST(:old AS text)
    || jsonb_build_object(CAST(:new AS text), i."values" -> CAST(:old AS text))
WHERE i.product_block_id = :block_id AND i."values" ? CAST(:old AS text)
RETURNING i.subscription_id
""")

_BOTH: Final = text("""
SELECT count(*) FROM subscription_instances
WHERE product_block_id = :block_id AND "values" ? CAST(:old AS text) AND "values" ? CAST(:new AS text)
""")

_CONVERT: Final = text("""
UPDATE subscription_instances i
SET "values" = jsonb_set(i."values", ARRAY[CAST(:name AS text)],
    CASE WHEN CAST(:kind AS text) = 'string' THEN to_jsonb(i."values" ->> CAST(:name AS text))
         ELSE CAST(i."values" ->> CAST(:name AS text) AS jsonb) END)
WHERE i.product_block_id = :block_id AND jsonb_typeof(i."values" -> CAST(:name AS text)) NOT IN ('null', :kind)
RETURNING i.subscription_id
""")

_INCONVERTIBLE: Final = text("""
SELECT count(*) AS number, min(i.subscription_id::text) AS subscription_id
FROM subscription_instances i, jsonb_typeof(i."values" -> CAST(:name AS text)) kind
WHERE i.product_block_id = :block_id AND kind NOT IN ('null', :kind)
  AND CASE CAST(:kind AS text)
        WHEN 'string' THEN kind NOT IN ('number', 'boolean')
        WHEN 'number' THEN kind <> 'string'
            OR i."values" ->> CAST(:name AS text) !~ '^-?(0|[1-9][0-9]*)([.][0-9]+)?$'
        ELSE kind <> 'string' OR i."values" ->> CAST(:name AS text) NOT IN ('true', 'false') END
""")

_NEXT_VERSION: Final = text("""
UPDATE subscriptions SET version = version + 1, last_modified_at = now()
WHERE subscription_id = ANY(CAST(:ids AS uuid[]))
""")


def fill_values(conn: Connection, block: str, name: str, value: Any) -> int:
    """Give every block of this kind that has no value of this name, or null, this one; returns how many got it.

    Blocks of terminated subscriptions stay as they are. What is filled in stays when the revision is taken back. The
    versions of the subscriptions do not move: a process under way that enters a value of its own may still save it.

    Raises:
        DataRevisionError: there is no such block.
    """
    conn.execute(_LOCK)
    words = {"block_id": block_id_of(conn, block), "name": name, "value": orjson.dumps(value).decode()}
    return len(conn.execute(_FILL, words).all())


def take_values(conn: Connection, revision: str, block: str, name: str) -> int:
    """Take the values of this name from all blocks of this kind, and keep them; returns how many there were.

    Args:
        conn: of the revision.
        revision: its id, under which `give_back_values` finds them again.
        block: the name of the kind of block.
        name: of the resource type.

    Raises:
        DataRevisionError: there is no such block.
    """
    conn.execute(_LOCK)
    return _write(conn, _TAKE, revision=revision, block_id=block_id_of(conn, block), name=name)


def give_back_values(conn: Connection, revision: str, block: str, name: str) -> int:
    """Give back what `take_values` took with the same words; returns how many blocks got a value.

    Raises:
        DataRevisionError: there is no such block.
    """
    conn.execute(_LOCK)
    return _write(conn, _GIVE_BACK, revision=revision, block_id=block_id_of(conn, block), name=name)


def rename_values(conn: Connection, block: str, old: str, new: str) -> int:
    """Let the values of one name have another one in all blocks of this kind; returns how many there were.

    Raises:
        DataRevisionError: there is no such block, or some have values of both names.
    """
    conn.execute(_LOCK)
    names = {"block_id": block_id_of(conn, block), "old": old, "new": new}
    if both := conn.execute(_BOTH, names).scalar_one():
        raise DataRevisionError(f"{both} blocks {block!r} have values of both {old!r} and {new!r}: which one is right?")
    return _write(conn, _RENAME, **names)


def convert_values(conn: Connection, block: str, name: str, kind: JsonKind) -> int:
    """Make the values of this name JSON of this kind: 7 becomes "7", and "7" becomes 7; returns how many changed.

    Raises:
        DataRevisionError: there is no such block, or a value has no equal of that kind; then nothing has changed.
    """
    conn.execute(_LOCK)
    words = {"block_id": block_id_of(conn, block), "name": name, "kind": kind}
    wrong = conn.execute(_INCONVERTIBLE, words).one()
    if wrong.number:
        raise DataRevisionError(
            f"{wrong.number} values of {block}.{name} cannot become a {kind}, one of them that of subscription "
            f"{wrong.subscription_id}: correct them first."
        )
    return _write(conn, _CONVERT, **words)


def state_type(conn: Connection, block: str, name: str, value_type: str | None) -> None:
    """Say of which type a resource type of a block is, as the code names it; None: it is not said.

    Raises:
        DataRevisionError: there is no such block or resource type.
    """
    table = product_block_resource_types
    conn.execute(
        update(table)
        .where(
            table.c.product_block_id == block_id_of(conn, block),
            table.c.resource_type_id == resource_type_id_of(conn, name),
        )
        .values(value_type=value_type)
    )


def blocks_with(conn: Connection, resource_type: str) -> list[str]:
    """The names of the blocks that have a resource type."""
    table = product_block_resource_types
    return list(
        conn.execute(
            select(ProductBlockTable.name)
            .join(table, table.c.product_block_id == ProductBlockTable.product_block_id)
            .join(ResourceTypeTable, ResourceTypeTable.resource_type_id == table.c.resource_type_id)
            .where(ResourceTypeTable.resource_type == resource_type)
        ).scalars()
    )


def _write(conn: Connection, statement: Any, **words: Any) -> int:
    changed = list(conn.execute(statement, words).scalars())
    conn.execute(_NEXT_VERSION, {"ids": list(dict.fromkeys(changed))})
    return len(changed)
