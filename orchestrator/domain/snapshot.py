"""A model as flat values, and what changed between two such values. No database here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from pydantic_core import PydanticSerializationError

from orchestrator.domain.shape import BlockField, DomainModel, shape_of
from orchestrator.errors import BlockCycleError, BlockOwnershipError, ValuesDoNotFitError
from orchestrator.language.json_values import to_json
from orchestrator.storage.block_trees import BlockRow


@dataclass(frozen=True)
class BlockValue:
    """One block of the subscription's own."""

    path: str
    name: str
    label: str | None
    root_attribute: str | None
    root_order: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Links:
    """The blocks that one attribute of one block refers to, in their order."""

    path: str
    ids: tuple[UUID, ...]
    many: bool

    @property
    def shown(self) -> Any:
        """As the history shows it: a list of ids, or one id, or None."""
        ids = [str(identifier) for identifier in self.ids]
        return ids if self.many else next(iter(ids), None)


@dataclass(frozen=True)
class Snapshot:
    """A subscription as it is stored: scalar columns, own blocks by id, links by (block, attribute), and the blocks
    that each attribute of the subscription itself holds.
    """

    columns: Mapping[str, Any]
    blocks: Mapping[UUID, BlockValue] = field(default_factory=dict)
    links: Mapping[tuple[UUID, str], Links] = field(default_factory=dict)
    roots: Mapping[str, Links] = field(default_factory=dict)

    def limited_to(self, stored: Mapping[str, BlockRow]) -> Snapshot:
        """Without the values that are not in the rows: a default that was never stored is written by the next save."""
        blocks = {
            identifier: block
            if block.values.keys() <= stored[str(identifier)].values.keys()
            else replace(
                block,
                values={name: value for name, value in block.values.items() if name in stored[str(identifier)].values},
            )
            for identifier, block in self.blocks.items()
        }
        return replace(self, blocks=blocks)


def take_snapshot(subscription_id: UUID, model: DomainModel, columns: Mapping[str, Any]) -> Snapshot:
    """The flat values of a subscription model. Blocks of other subscriptions appear in links only.

    Raises:
        BlockCycleError: a block refers to itself through others; the message has the path.
        BlockOwnershipError: a root block belongs to another subscription, or a block stands twice in one list.
        UnstorableValueError: JSON cannot hold a value.
    """
    walk = _Walk(subscription_id)
    roots: dict[str, Links] = {}
    for attribute, ids, many in walk.fields(model, ""):
        roots[attribute] = Links(attribute, ids, many)
        for order, identifier in enumerate(ids):
            block = walk.blocks.get(identifier)
            if block is None:
                raise BlockOwnershipError(
                    f"{attribute} is a block of another subscription; such blocks can be referred to by blocks only"
                )
            if block.root_attribute is not None:
                raise BlockOwnershipError(f"{block.root_attribute} and {attribute} are one and the same block")
            walk.blocks[identifier] = replace(block, root_attribute=attribute, root_order=order)
    return Snapshot(columns, walk.blocks, walk.links, roots)


class _Walk:
    def __init__(self, subscription_id: UUID) -> None:
        self.subscription_id = subscription_id
        self.blocks: dict[UUID, BlockValue] = {}
        self.links: dict[tuple[UUID, str], Links] = {}
        # By the number of the id: a UUID takes ten times as long to hash and compare.
        self._under_way: dict[int, str] = {}
        self._seen: dict[int, DomainModel] = {}

    def fields(self, model: DomainModel, path: str) -> Iterator[tuple[str, tuple[UUID, ...], bool]]:
        """Visit the blocks in each field; gives attribute, ids and whether it is a list."""
        for block_field in shape_of(type(model)).blocks:
            value = getattr(model, block_field.name)
            place = f"{path}.{block_field.name}" if path else block_field.name
            if block_field.many:
                members = [(member, f"{place}[{index}]") for index, member in enumerate(value)]
            else:
                members = [] if value is None else [(value, place)]
            if block_field.many:
                _check_length(block_field, len(members), place)
            for member, where in members:
                if not isinstance(member, block_field.kinds):
                    names = " or ".join(kind.__qualname__ for kind in block_field.kinds)
                    raise ValuesDoNotFitError(f"{where} is a {type(member).__qualname__}, it must be a {names}")
            ids = tuple(self._visit(member, where) for member, where in members)
            if len(ids) > 1 and len({one.int for one in ids}) != len(ids):
                raise BlockOwnershipError(f"{place} has the same block twice")
            yield block_field.name, ids, block_field.many

    def _visit(self, block: Any, path: str) -> UUID:
        identifier: UUID = block.subscription_instance_id
        number = identifier.int
        if number in self._under_way:
            raise BlockCycleError(f"The block at {self._under_way[number]} refers to itself: {path} is the same one")
        present = self._seen.get(number)
        if present is not None:
            if present is not block and present != block:
                raise BlockOwnershipError(f"{path} is another copy of a block of this subscription, with other values")
            return identifier
        self._under_way[number] = path
        links = list(self.fields(block, path))
        del self._under_way[number]
        self._seen[number] = block
        if block.owner_subscription_id == self.subscription_id:
            for attribute, ids, many in links:
                self.links[identifier, attribute] = Links(f"{path}.{attribute}", ids, many)
            names = shape_of(type(block)).values
            try:
                values = block.__pydantic_serializer__.to_python(
                    block, mode="json", include=set(names), warnings="error"
                )
            except PydanticSerializationError as error:
                raise ValuesDoNotFitError(f"A value in {path} is not of its type any more: {error}") from error
            stored = to_json({name: values[name] for name in names}, path)
            self.blocks[identifier] = BlockValue(path, block.name, block.label, None, 0, stored)
        return identifier


def _check_length(block_field: BlockField, length: int, place: str) -> None:
    # A list that was changed in place was not checked when that happened.
    most = block_field.maximum
    if length < block_field.minimum or (most is not None and length > most):
        limits = f"at least {block_field.minimum}" + ("" if most is None else f" and at most {most}")
        raise ValuesDoNotFitError(f"{place} has {length} blocks, it must have {limits}")
