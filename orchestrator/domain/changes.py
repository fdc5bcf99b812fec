"""What a save has to write: the difference between what was loaded and what is there now. Values only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from orchestrator.domain.snapshot import BlockValue, Links, Snapshot
from orchestrator.storage.subscription_links import LinkRow
from orchestrator.storage.subscription_writing import BlockPatch, Change, NewBlock


@dataclass(frozen=True)
class Difference:
    """Rows to write, and the history of them."""

    columns: Mapping[str, Any]
    new_blocks: tuple[NewBlock, ...]
    patches: tuple[BlockPatch, ...]
    removed_blocks: tuple[UUID, ...]
    new_links: tuple[LinkRow, ...]
    removed_links: tuple[LinkRow, ...]
    history: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to write."""
        return not (
            self.columns
            or self.new_blocks
            or self.patches
            or self.removed_blocks
            or self.new_links
            or self.removed_links
        )


def difference(old: Snapshot | None, new: Snapshot) -> Difference:
    """What leads from the stored values to the new ones; everything, when nothing is stored yet."""
    before = old or Snapshot({})
    columns = {
        name: value
        for name, value in new.columns.items()
        if name not in before.columns or before.columns[name] != value
    }
    old_links = frozenset(_link_rows(before))
    new_links = frozenset(_link_rows(new))
    return Difference(
        columns=columns,
        new_blocks=tuple(
            NewBlock(identifier, block.name, block.label, block.root_attribute, block.root_order, block.values)
            for identifier, block in new.blocks.items()
            if identifier not in before.blocks
        ),
        patches=tuple(_patches(before, new)),
        removed_blocks=tuple(identifier for identifier in before.blocks if identifier not in new.blocks),
        new_links=tuple(sorted(new_links - old_links, key=_link_key)),
        removed_links=tuple(sorted(old_links - new_links, key=_link_key)),
        history=tuple(_history(before, new, columns)),
    )


def _patches(before: Snapshot, new: Snapshot) -> Iterator[BlockPatch]:
    for identifier, block in new.blocks.items():
        stored = before.blocks.get(identifier)
        if stored is None:
            continue
        values = {
            name: value
            for name, value in block.values.items()
            if name not in stored.values or not is_same(stored.values[name], value)
        }
        place = (block.label, block.root_attribute, block.root_order)
        if values or place != (stored.label, stored.root_attribute, stored.root_order):
            yield BlockPatch(identifier, *place, values)


def is_same(one: Any, other: Any) -> bool:
    """Whether two values are the same in JSON; 1, 1.0 and True are equal in Python, and three values there."""
    return bool(one == other) and bool(_kinds(one) == _kinds(other))


def _kinds(value: Any) -> Any:
    match value:
        case dict():
            return {key: _kinds(item) for key, item in value.items()}
        case list():
            return [_kinds(item) for item in value]
        case _:
            return type(value)


def _link_rows(snapshot: Snapshot) -> Iterator[LinkRow]:
    for (identifier, attribute), links in snapshot.links.items():
        for order, depends_on in enumerate(links.ids):
            yield LinkRow(identifier, attribute, order, depends_on)


def _link_key(link: LinkRow) -> tuple[str, str, int]:
    return str(link.in_use_by_id), link.domain_model_attr, link.order_id


def _history(before: Snapshot, new: Snapshot, columns: Mapping[str, Any]) -> Iterator[Change]:
    for name, value in columns.items():
        old_value = before.columns.get(name)
        if value is not None or old_value is not None:
            yield Change(name, _shown(old_value), _shown(value), None)
    for attribute in dict.fromkeys((*before.roots, *new.roots)):
        yield from _link_history(None, before.roots.get(attribute), new.roots.get(attribute))
    for identifier, block in new.blocks.items():
        yield from _block_history(identifier, before.blocks.get(identifier), block)
    for identifier, gone in before.blocks.items():
        if identifier not in new.blocks:
            if gone.label is not None:
                yield Change(f"{gone.path}.label", gone.label, None, identifier)
            for name, value in gone.values.items():
                if value is not None:
                    yield Change(f"{gone.path}.{name}", value, None, identifier)
    for key in dict.fromkeys((*before.links, *new.links)):
        yield from _link_history(key[0], before.links.get(key), new.links.get(key))


def _block_history(identifier: UUID, stored: BlockValue | None, block: BlockValue) -> Iterator[Change]:
    old_values: Mapping[str, Any] = {} if stored is None else stored.values
    old_label = None if stored is None else stored.label
    if old_label != block.label:
        yield Change(f"{block.path}.label", old_label, block.label, identifier)
    for name, value in block.values.items():
        old_value = old_values.get(name)
        if not is_same(old_value, value):
            yield Change(f"{block.path}.{name}", old_value, value, identifier)


def _link_history(identifier: UUID | None, stored: Links | None, links: Links | None) -> Iterator[Change]:
    old_ids = () if stored is None else stored.ids
    new_ids = () if links is None else links.ids
    if old_ids != new_ids:
        path = (links or stored or Links("", (), False)).path
        many = next(one for one in (stored, links) if one is not None).many
        nothing = Links(path, (), many).shown
        yield Change(
            path, nothing if stored is None else stored.shown, nothing if links is None else links.shown, identifier
        )


def _shown(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            return value
