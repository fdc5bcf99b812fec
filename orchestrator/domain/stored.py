"""What was stored of a subscription when it was loaded, worked out of its rows only when a save compares with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from orchestrator.domain.assembly import BlockAssembly
from orchestrator.domain.changes import is_same
from orchestrator.domain.plainness import value_of
from orchestrator.domain.shape import DomainModel, shape_of
from orchestrator.domain.snapshot import BlockValue, Links, Snapshot
from orchestrator.storage.block_trees import BlockRow, root_links
from orchestrator.storage.subscription_statements import SubscriptionTree


@dataclass(frozen=True)
class StoredTree:
    """The rows that a subscription of plain models was made of, the class that it was made as, and its columns."""

    model: type[DomainModel]
    tree: SubscriptionTree
    columns: Mapping[str, Any]

    def snapshot(self, now: Snapshot) -> Snapshot:
        """What a snapshot of the model would have been when it was loaded, without values that are not stored.

        A value that is stored as it is `now` has not changed. What differs may be another way to write the same value,
        and is read once more to know.
        """
        return _RowWalk(self, now).snapshot()


class _RowWalk:
    """Goes through rows as `take_snapshot` goes through the model that was made of them."""

    def __init__(self, stored: StoredTree, now: Snapshot) -> None:
        self._stored = stored
        self._now = now
        self._owner = stored.tree.subscription.subscription_id
        # Rows of its own: lists and dicts of those that the model was made of may be the model's.
        self._rows = stored.tree.rows()
        self._assembly = BlockAssembly(self._rows, self._owner)
        self._seen: set[str] = set()
        self._blocks: dict[UUID, BlockValue] = {}
        self._links: dict[tuple[UUID, str], Links] = {}

    def snapshot(self) -> Snapshot:
        roots: dict[str, Links] = {}
        for attribute, ids, many in self._fields(self._stored.model, root_links(self._rows, self._owner), ""):
            roots[attribute] = Links(attribute, ids, many)
            for order, identifier in enumerate(ids):
                block = self._blocks[identifier]
                self._blocks[identifier] = replace(block, root_attribute=attribute, root_order=order)
        return Snapshot(self._stored.columns, self._blocks, self._links, roots)

    def _fields(
        self, model: type[DomainModel], links: Mapping[str, Sequence[str]], path: str
    ) -> Iterator[tuple[str, tuple[UUID, ...], bool]]:
        for field in shape_of(model).blocks:
            ids = links.get(field.name, ())
            place = f"{path}.{field.name}" if path else field.name
            for index, one in enumerate(ids):
                self._visit(one, field.kinds, f"{place}[{index}]" if field.many else place)
            yield field.name, tuple([self._rows.blocks[one].subscription_instance_id for one in ids]), field.many

    def _visit(self, key: str, kinds: tuple[type[DomainModel], ...], path: str) -> None:
        if key in self._seen:
            return
        self._seen.add(key)
        row = self._rows.blocks[key]
        kind = self._assembly.model_of(row, kinds, path)
        links = list(self._fields(kind, self._rows.links.get(key, {}), path))
        if row.subscription_id == self._owner:
            identifier = row.subscription_instance_id
            for attribute, ids, many in links:
                self._links[identifier, attribute] = Links(f"{path}.{attribute}", ids, many)
            self._blocks[identifier] = BlockValue(path, row.name, row.label, None, 0, self._values(kind, row))

    def _values(self, kind: type[DomainModel], row: BlockRow) -> dict[str, Any]:
        now = self._now.blocks.get(row.subscription_instance_id)
        present: Mapping[str, Any] = {} if now is None else now.values
        return {
            name: stored if name in present and is_same(present[name], stored) else value_of(kind, name, stored)
            for name in shape_of(kind).values
            if name in row.values
            for stored in (row.values[name],)
        }
