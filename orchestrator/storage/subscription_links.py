"""Writing which block refers to which: across subscriptions without circles, and to nothing that is going away."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Final
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.orm import Session

from orchestrator.errors import BlockCycleError, BlockNotFoundError, BlockUnavailableError
from orchestrator.storage.session import Origin
from orchestrator.storage.subscription_reach import OWNERS_OF_REACHED, STEP_DOWN


@dataclass(frozen=True)
class LinkRow:
    """One block refers to another."""

    in_use_by_id: UUID
    domain_model_attr: str
    order_id: int
    depends_on_id: UUID


# The subscription and all that it will refer to, however far away, in the order of their ids. Whoever saves a reference
# that could close a circle with ours, takes, terminates or saves one of these, waits for us or we for them.
_HOLD_ALL_BELOW: Final = text(f"""
WITH RECURSIVE reach (node) AS (
    SELECT unnest(CAST(:ids AS uuid[])) UNION SELECT l.depends_on_id FROM {STEP_DOWN}
)
SELECT s.subscription_id FROM subscriptions s
WHERE s.subscription_id = :subscription_id OR s.subscription_id = ANY (ARRAY({OWNERS_OF_REACHED}))
ORDER BY s.subscription_id
FOR NO KEY UPDATE OF s
""")  # noqa: S608 - only constants

_GOING_AWAY: Final = text("""
SELECT s.subscription_id, s.status FROM subscriptions s
WHERE s.subscription_id IN (
    SELECT i.subscription_id FROM subscription_instances i WHERE i.subscription_instance_id = ANY(:ids))
AND (s.status = 'terminated' OR (
    s.held_by IS DISTINCT FROM CAST(:process_id AS uuid) AND EXISTS (
        SELECT FROM processes p WHERE p.process_id = s.held_by AND p.target = 'TERMINATE'
        AND p.status NOT IN ('completed', 'aborted'))))
ORDER BY s.subscription_id LIMIT 1
""")

_DELETE_LINKS: Final = text("""
DELETE FROM subscription_instance_relations l
USING jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(in_use_by_id uuid, domain_model_attr text, order_id int)
WHERE (l.in_use_by_id, l.domain_model_attr, l.order_id) = (r.in_use_by_id, r.domain_model_attr, r.order_id)
""")

_INSERT_LINKS: Final = text("""
INSERT INTO subscription_instance_relations (in_use_by_id, domain_model_attr, order_id, depends_on_id)
SELECT r.in_use_by_id, r.domain_model_attr, r.order_id, r.depends_on_id
FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(
    in_use_by_id uuid, domain_model_attr text, order_id int, depends_on_id uuid)
JOIN subscription_instances i ON i.subscription_instance_id = r.depends_on_id
RETURNING depends_on_id
""")

# Does a link to another subscription's block lead back to where it begins?
_FIND_CYCLE: Final = text(f"""
WITH RECURSIVE reach (root, node) AS (
    SELECT r.in_use_by_id, r.depends_on_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(in_use_by_id uuid, depends_on_id uuid)
    UNION
    SELECT reach.root, l.depends_on_id FROM {STEP_DOWN}
)
SELECT root FROM reach WHERE root = node LIMIT 1
""")  # noqa: S608 - only constants

# Each link once that can be reached from a block, with what its far end is called.
_LINKS_BELOW: Final = text(f"""
WITH RECURSIVE reach (node) AS (
    SELECT CAST(:root AS uuid) UNION SELECT l.depends_on_id FROM {STEP_DOWN}
)
SELECT l.in_use_by_id, l.domain_model_attr, l.depends_on_id, b.name, i.subscription_id
FROM subscription_instance_relations l
JOIN subscription_instances i ON i.subscription_instance_id = l.depends_on_id
JOIN product_blocks b USING (product_block_id)
WHERE l.in_use_by_id = ANY (ARRAY(SELECT node FROM reach))
ORDER BY l.in_use_by_id, l.domain_model_attr, l.order_id
""")  # noqa: S608 - only constants


def hold_all_below(session: Session, subscription_id: UUID, depends_on: Iterable[UUID], origin: Origin) -> None:
    """Before links to blocks of other subscriptions are written: lock these, and look whether they may be used.

    Raises:
        BlockUnavailableError: one of them is terminated, or another process terminates it.
    """
    ids = list(depends_on)
    parameters = {"subscription_id": subscription_id, "ids": ids}
    held: set[UUID] | None = None
    # Again, until what was waited for has led to nothing new.
    while held != (held := set(session.execute(_HOLD_ALL_BELOW, parameters).scalars())):
        pass
    going = session.execute(_GOING_AWAY, {"ids": ids, "process_id": origin.process_id}).one_or_none()
    if going is not None:
        reason = "it is terminated" if going.status == "terminated" else "a process terminates it"
        raise BlockUnavailableError(f"Blocks of subscription {going.subscription_id} cannot be used: {reason}")


def write_links(
    session: Session, removed: Sequence[LinkRow], added: Sequence[LinkRow], own_blocks: Mapping[UUID, object]
) -> None:
    """Delete and insert what refers to what.

    Raises:
        BlockNotFoundError: a block that is referred to is gone.
        BlockCycleError: a block of another subscription leads back to one of ours; the message has the path.
    """
    if removed:
        session.execute(_DELETE_LINKS, {"rows": _rows(removed)})
    if not added:
        return
    found = set(session.execute(_INSERT_LINKS, {"rows": _rows(added)}).scalars())
    gone = {link.depends_on_id: link.domain_model_attr for link in added if link.depends_on_id not in found}
    for identifier, attribute in gone.items():
        raise BlockNotFoundError(f"There is no block {identifier}, to which {attribute} refers")
    foreign = [link for link in added if link.depends_on_id not in own_blocks]
    if foreign:
        root = session.execute(_FIND_CYCLE, {"rows": _rows(foreign)}).scalar_one_or_none()
        if root is not None:
            raise BlockCycleError(f"The block {root} would refer to itself: {_path_back(session, root)}")


def _path_back(session: Session, root: UUID) -> str:
    """The shortest way from a block back to it, such as `port (Port of subscription ...) -> ...`."""
    links: dict[UUID, list[tuple[str, UUID, str, UUID]]] = {}
    for start, attribute, end, name, owner in session.execute(_LINKS_BELOW, {"root": root}):
        links.setdefault(start, []).append((attribute, end, name, owner))
    paths: list[tuple[UUID, tuple[str, ...]]] = [(root, ())]
    seen: set[UUID] = set()
    for node, path in paths:
        for attribute, end, name, owner in links.get(node, ()):
            longer = (*path, f"{attribute} ({name} of subscription {owner})")
            if end == root:
                return " -> ".join(longer)
            if end not in seen:
                seen.add(end)
                paths.append((end, longer))
    return "the path is gone"


def _rows(rows: Sequence[LinkRow]) -> str:
    return orjson.dumps([asdict(row) for row in rows]).decode()
