"""Writing a subscription: a constant number of statements, however many blocks changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final
from uuid import UUID

import orjson
from sqlalchemy import Table, func, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from orchestrator.errors import (
    BlockInUseError,
    BlockNotFoundError,
    BlockOwnershipError,
    ConflictError,
    StaleSubscriptionError,
    SubscriptionNotFoundError,
)
from orchestrator.storage.session import Origin
from orchestrator.storage.tables import SubscriptionTable


@dataclass(frozen=True)
class NewBlock:
    """A block to insert."""

    subscription_instance_id: UUID
    name: str
    label: str | None
    root_attribute: str | None
    root_order: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class BlockPatch:
    """What changed in a stored block; `values` has only the values that did."""

    subscription_instance_id: UUID
    label: str | None
    root_attribute: str | None
    root_order: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Change:
    """One value that changed, for the history."""

    path: str
    before: Any
    after: Any
    subscription_instance_id: UUID | None


# A block that exists already (loaded on its own, or left behind by its parent) is taken back into the tree.
_INSERT_BLOCKS: Final = text("""
INSERT INTO subscription_instances AS i
    (subscription_instance_id, subscription_id, product_block_id, label, root_attribute, root_order, "values")
SELECT r.subscription_instance_id, CAST(:subscription_id AS uuid), b.product_block_id, r.label, r.root_attribute,
       r.root_order, r."values"
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    subscription_instance_id uuid, name text, label text, root_attribute text, root_order int, "values" jsonb)
JOIN product_blocks b ON b.name = r.name
ON CONFLICT (subscription_instance_id) DO UPDATE
SET label = excluded.label, root_attribute = excluded.root_attribute, root_order = excluded.root_order,
    "values" = i."values" || excluded."values"
WHERE i.subscription_id = excluded.subscription_id AND i.product_block_id = excluded.product_block_id
RETURNING i.subscription_instance_id
""")

_MISSING_BLOCK_NAMES: Final = text("""
SELECT name FROM unnest(CAST(:names AS text[])) AS name
WHERE NOT EXISTS (SELECT FROM product_blocks b WHERE b.name = name.name)
""")

# Values that the model does not know stay as they are.
_PATCH_BLOCKS: Final = text("""
UPDATE subscription_instances i
SET label = r.label, root_attribute = r.root_attribute, root_order = r.root_order, "values" = i."values" || r."values"
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    subscription_instance_id uuid, label text, root_attribute text, root_order int, "values" jsonb)
WHERE i.subscription_instance_id = r.subscription_instance_id AND i.subscription_id = :subscription_id
RETURNING i.subscription_instance_id
""")

_DELETE_BLOCKS: Final = text("""
DELETE FROM subscription_instances i
WHERE i.subscription_id = :subscription_id AND i.subscription_instance_id = ANY(:ids)
AND NOT EXISTS (SELECT FROM subscription_instance_relations r
                WHERE r.depends_on_id = i.subscription_instance_id AND r.in_use_by_id <> ALL(:ids))
RETURNING i.subscription_instance_id
""")

_USERS_OF_BLOCKS: Final = text("""
SELECT DISTINCT u.subscription_id
FROM subscription_instance_relations r
JOIN subscription_instances u ON u.subscription_instance_id = r.in_use_by_id
WHERE r.depends_on_id = ANY(:ids) AND r.in_use_by_id <> ALL(:ids)
""")

_INSERT_CHANGES: Final = text("""
INSERT INTO subscription_changes
    (subscription_id, subscription_instance_id, path, before, after, process_id, step_key, changed_by)
SELECT CAST(:subscription_id AS uuid), r.subscription_instance_id, r.path, r.before, r.after,
       CAST(:process_id AS uuid), CAST(:step_key AS text), CAST(:changed_by AS text)
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    subscription_instance_id uuid, path text, before jsonb, after jsonb)
""")


def insert_subscription(
    session: Session, subscription_id: UUID, version: int, columns: Mapping[str, Any], origin: Origin
) -> None:
    """Insert the row of a new subscription.

    Raises:
        ConflictError: there is one of this id.
    """
    values = {
        "subscription_id": subscription_id,
        "version": version,
        **columns,
        "held_by": None if columns["insync"] else origin.process_id,
    }
    statement = insert(_subscriptions()).values(values).on_conflict_do_nothing(index_elements=["subscription_id"])
    if session.execute(statement.returning(_subscriptions().c.version)).one_or_none() is None:
        raise ConflictError(f"Subscription {subscription_id} exists already; load it with from_subscription")


def update_subscription(
    session: Session, subscription_id: UUID, version: int, columns: Mapping[str, Any], origin: Origin
) -> int:
    """Write the columns that changed, if nobody saved since `version`; returns the next version.

    Raises:
        StaleSubscriptionError: somebody did.
        SubscriptionNotFoundError: it was deleted.
    """
    table = _subscriptions()
    values = dict(columns)
    if "insync" in values:
        values["held_by"] = None if values["insync"] else origin.process_id
    statement = (
        update(table)
        .where(table.c.subscription_id == subscription_id, table.c.version == version)
        .values(**values, version=table.c.version + 1, last_modified_at=func.now())
        .returning(table.c.version)
    )
    next_version = session.execute(statement).scalar_one_or_none()
    if next_version is None:
        present = session.execute(
            text("SELECT version FROM subscriptions WHERE subscription_id = :subscription_id"),
            {"subscription_id": subscription_id},
        ).scalar_one_or_none()
        if present is None:
            raise SubscriptionNotFoundError(f"Subscription {subscription_id} does not exist any more")
        raise StaleSubscriptionError(
            f"Subscription {subscription_id} was changed by somebody else: version {version} was loaded, "
            f"but it is at version {present} now"
        )
    return int(next_version)


def insert_blocks(session: Session, subscription_id: UUID, blocks: Sequence[NewBlock]) -> None:
    """Insert blocks, by the name of their kind.

    Raises:
        BlockNotFoundError: the database does not know a kind.
        BlockOwnershipError: a block of this id belongs to another subscription.
    """
    parameters = {"subscription_id": subscription_id, "rows": _rows(blocks)}
    if len(session.execute(_INSERT_BLOCKS, parameters).all()) == len(blocks):
        return
    names = sorted({block.name for block in blocks})
    missing = session.execute(_MISSING_BLOCK_NAMES, {"names": names}).scalars().all()
    if missing:
        raise BlockNotFoundError(f"The database knows no product block {', '.join(missing)}: a migration is missing")
    raise BlockOwnershipError(f"A new block of subscription {subscription_id} has the id of another one's block")


def patch_blocks(session: Session, subscription_id: UUID, patches: Sequence[BlockPatch]) -> None:
    """Write the values that changed in stored blocks.

    Raises:
        StaleSubscriptionError: a block is gone.
    """
    rows = session.execute(_PATCH_BLOCKS, {"subscription_id": subscription_id, "rows": _rows(patches)}).all()
    if len(rows) != len(patches):
        raise StaleSubscriptionError(f"A block of subscription {subscription_id} was removed by somebody else")


def delete_blocks(session: Session, subscription_id: UUID, identifiers: Sequence[UUID]) -> None:
    """Delete blocks that nothing refers to any more.

    Raises:
        BlockInUseError: another subscription uses one of them.
    """
    ids = list(identifiers)
    deleted = session.execute(_DELETE_BLOCKS, {"subscription_id": subscription_id, "ids": ids}).all()
    if len(deleted) != len(ids):
        users = session.execute(_USERS_OF_BLOCKS, {"ids": ids}).scalars().all()
        if users:
            names = ", ".join(str(user) for user in users)
            raise BlockInUseError(f"Blocks of subscription {subscription_id} cannot be removed: {names} uses them")


def insert_changes(session: Session, subscription_id: UUID, changes: Sequence[Change], origin: Origin) -> None:
    """Append to the history of values."""
    session.execute(
        _INSERT_CHANGES,
        {
            "subscription_id": subscription_id,
            "process_id": origin.process_id,
            "step_key": origin.step_key,
            "changed_by": origin.changed_by,
            "rows": _rows(changes),
        },
    )


def _subscriptions() -> Table:
    table = SubscriptionTable.__table__
    assert isinstance(table, Table)
    return table


def _rows(rows: Sequence[NewBlock | BlockPatch | Change]) -> str:
    return orjson.dumps([asdict(row) for row in rows]).decode()
