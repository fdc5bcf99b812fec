"""Making the blocks of a model from rows: each block once, whatever number of fields refer to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from orchestrator.domain.shape import DomainModel, kind_named, shape_of
from orchestrator.errors import BlockCycleError, ValuesDoNotFitError
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage.block_trees import BlockRow, TreeRows


class BlockAssembly:
    """Builds the blocks of one loaded tree, from the leaves upwards; what is shared stays one object."""

    def __init__(self, tree: TreeRows, owner: UUID) -> None:
        """Blocks of `owner` become what their field says; those of others suit the status of their own owner."""
        self._tree = tree
        self._owner = owner
        self._built: dict[str, DomainModel] = {}
        self._under_way: dict[str, str] = {}
        self._kinds: dict[tuple[int, str, int], type[DomainModel]] = {}

    @property
    def kinds(self) -> set[type[DomainModel]]:
        """The classes of all blocks that were made."""
        return set(self._kinds.values())

    def fields(
        self, model: type[DomainModel], links: Mapping[str, Sequence[str]], path: str
    ) -> dict[str, DomainModel | list[DomainModel] | None]:
        """The values of the fields of `model` that hold blocks, given the ids that each attribute refers to.

        A field without a block that must have one is left out: pydantic then tells that it is missing.

        Raises:
            ValuesDoNotFitError: a block is of a kind that the field does not take, or its values do not fit.
            BlockCycleError: a block refers to itself through others.
        """
        made: dict[str, DomainModel | list[DomainModel] | None] = {}
        for field in shape_of(model).blocks:
            ids = links.get(field.name, ())
            place = f"{path}.{field.name}" if path else field.name
            if field.many:
                made[field.name] = [self.block(one, field.kinds, f"{place}[{index}]") for index, one in enumerate(ids)]
            elif len(ids) > 1:
                raise ValuesDoNotFitError(f"{place} takes one block, but {len(ids)} are stored there")
            elif ids:
                made[field.name] = self.block(ids[0], field.kinds, place)
            elif field.optional:
                made[field.name] = None
        return made

    def block(self, identifier: str, kinds: tuple[type[DomainModel], ...], path: str) -> DomainModel:
        """The block of this id as one of these kinds; `path` is where it stands, for messages.

        Raises:
            ValuesDoNotFitError: it is of another kind, or its values do not fit.
            BlockCycleError: it refers to itself through others.
        """
        built = self._built.get(identifier)
        if built is not None:
            return built
        if identifier in self._under_way:
            raise BlockCycleError(
                f"The block at {self._under_way[identifier]} refers to itself: {path} is the same one"
            )
        row = self._tree.blocks[identifier]
        kind = self.kind_of(row, kinds, path)
        shape = shape_of(kind)
        values: dict[str, Any] = {name: row.values[name] for name in shape.values if name in row.values}
        values["name"] = row.name
        values["subscription_instance_id"] = row.subscription_instance_id
        values["owner_subscription_id"] = row.subscription_id
        values["label"] = row.label
        if shape.blocks:
            self._under_way[identifier] = path
            values |= self.fields(kind, self._tree.links.get(identifier, {}), path)
            del self._under_way[identifier]
        try:
            # Without what `model_validate` asks about its arguments first: there are many blocks.
            block: DomainModel = kind.__pydantic_validator__.validate_python(values)
        except ValidationError as error:
            raise values_do_not_fit(kind, path, error) from error
        self._built[identifier] = block
        return block

    def kind_of(self, row: BlockRow, kinds: tuple[type[DomainModel], ...], path: str) -> type[DomainModel]:
        """The class for a block where these kinds may stand.

        Raises:
            ValuesDoNotFitError: it is of none of these kinds.
        """
        # The ids of owners are one object each, and UUIDs take long to compare.
        asked = (id(kinds), row.name, id(row.subscription_id))
        known = self._kinds.get(asked)
        if known is not None:
            return known
        kind = kind_named(kinds, row.name, SubscriptionLifecycle(row.status), row.subscription_id == self._owner)
        if kind is not None:
            self._kinds[asked] = kind
            return kind
        names = " or ".join(declared.__block_name__ or declared.__qualname__ for declared in kinds)
        raise ValuesDoNotFitError(f"{path} takes a block {names}, but a block {row.name} is stored there")


@contextmanager
def values_must_fit(model: type[DomainModel], path: str = "") -> Iterator[None]:
    """Turn pydantic's errors into one sentence that tells what does not fit where.

    Raises:
        ValuesDoNotFitError: the values were refused.
    """
    try:
        yield
    except ValidationError as error:
        raise values_do_not_fit(model, path, error) from error


def values_do_not_fit(model: type[DomainModel], path: str, error: ValidationError) -> ValuesDoNotFitError:
    """The error that says in one sentence what does not fit where."""
    faults = []
    for fault in error.errors(include_url=False, include_input=False, include_context=False):
        place = ".".join(str(part) for part in ((path, *fault["loc"]) if path else fault["loc"]))
        faults.append(f"{place or 'the whole'}: {fault['msg']}")
    return ValuesDoNotFitError(f"The values do not fit {model.__qualname__}: {'; '.join(faults)}")
