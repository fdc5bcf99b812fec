"""Making the blocks of a model from rows: each block once, whatever number of fields refer to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeAlias
from uuid import UUID

from pydantic import ValidationError

from orchestrator.domain.shape import DomainModel, Shape, kind_named, shape_of
from orchestrator.errors import BlockCycleError, ValuesDoNotFitError
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage.block_trees import BlockRow, TreeRows

# Where a block stands: what it stands in, the attribute, and which one of several. Text is made of it for errors only.
_Place: TypeAlias = "tuple[_Place | None, str, int | None]"
_NOTHING: Final[Mapping[str, Sequence[str]]] = {}


class _Kind(NamedTuple):
    model: type[DomainModel]
    shape: Shape
    validate: Callable[[Any], Any]


class BlockAssembly:
    """Builds the blocks of one loaded tree, from the leaves upwards; what is shared stays one object."""

    def __init__(self, tree: TreeRows, owner: UUID) -> None:
        """Blocks of `owner` become what their field says; those of others suit the status of their own owner."""
        self._tree = tree
        self._owner = owner
        self._built: dict[str, DomainModel] = {}
        self._under_way: dict[str, _Place] = {}
        self._kinds: dict[tuple[int, str, int], _Kind] = {}

    @property
    def kinds(self) -> set[type[DomainModel]]:
        """The classes of all blocks that were made."""
        return {kind.model for kind in self._kinds.values()}

    def root_fields(
        self, model: type[DomainModel], links: Mapping[str, Sequence[str]]
    ) -> dict[str, DomainModel | list[DomainModel] | None]:
        """The values of the fields of `model` that hold blocks, given the ids that each attribute refers to.

        A field without a block that must have one is left out: pydantic then tells that it is missing.

        Raises:
            ValuesDoNotFitError: a block is of a kind that the field does not take, or its values do not fit.
            BlockCycleError: a block refers to itself through others.
        """
        return self._fields(shape_of(model), links, None)

    def root(self, identifier: str, model: type[DomainModel]) -> DomainModel:
        """The block of this id, of this class or one below it.

        Raises:
            ValuesDoNotFitError: it is of another kind, or its values do not fit.
            BlockCycleError: it refers to itself through others.
        """
        return self._block(identifier, (model,), (None, model.__qualname__, None))

    def model_of(self, row: BlockRow, kinds: tuple[type[DomainModel], ...], path: str) -> type[DomainModel]:
        """The class for a block where these kinds may stand; `path` is where, for messages.

        Raises:
            ValuesDoNotFitError: it is of none of these kinds.
        """
        asked = (id(kinds), row.name, id(row.subscription_id))
        return (self._kinds.get(asked) or self._find_kind(asked, row, kinds, (None, path, None))).model

    def _fields(
        self, shape: Shape, links: Mapping[str, Sequence[str]], above: _Place | None
    ) -> dict[str, DomainModel | list[DomainModel] | None]:
        made: dict[str, DomainModel | list[DomainModel] | None] = {}
        for field in shape.blocks:
            name, kinds, ids = field.name, field.kinds, links.get(field.name, ())
            if field.many:
                made[name] = [self._block(one, kinds, (above, name, index)) for index, one in enumerate(ids)]
            elif len(ids) > 1:
                place = _shown((above, name, None))
                raise ValuesDoNotFitError(f"{place} takes one block, but {len(ids)} are stored there")
            elif ids:
                made[name] = self._block(ids[0], kinds, (above, name, None))
            elif field.optional:
                made[name] = None
        return made

    def _block(self, identifier: str, kinds: tuple[type[DomainModel], ...], place: _Place) -> DomainModel:
        built = self._built.get(identifier)
        if built is not None:
            return built
        if identifier in self._under_way:
            before = _shown(self._under_way[identifier])
            raise BlockCycleError(f"The block at {before} refers to itself: {_shown(place)} is the same one")
        row = self._tree.blocks[identifier]
        own_id, name, owner, _, label, _, _, stored = row
        # The ids of owners are one object each, and UUIDs take long to compare.
        asked = (id(kinds), name, id(owner))
        model, shape, validate = self._kinds.get(asked) or self._find_kind(asked, row, kinds, place)
        values = stored.copy() if stored.keys() <= shape.value_names else _known(stored, shape)
        values["name"] = name
        values["subscription_instance_id"] = own_id
        values["owner_subscription_id"] = owner
        values["label"] = label
        if shape.blocks:
            self._under_way[identifier] = place
            values |= self._fields(shape, self._tree.links.get(identifier, _NOTHING), place)
            del self._under_way[identifier]
        try:
            block: DomainModel = validate(values)
        except ValidationError as error:
            raise values_do_not_fit(model, _shown(place), error) from error
        self._built[identifier] = block
        return block

    def _find_kind(
        self, asked: tuple[int, str, int], row: BlockRow, kinds: tuple[type[DomainModel], ...], place: _Place
    ) -> _Kind:
        status, is_own = SubscriptionLifecycle(row.status), row.subscription_id == self._owner
        model = kind_named(kinds, row.name, status, is_own)
        if model is None:
            names = " or ".join(declared.__block_name__ or declared.__qualname__ for declared in kinds)
            raise ValuesDoNotFitError(f"{_shown(place)} takes a block {names}, but a block {row.name} is stored there")
        # Without what `model_validate` asks about its arguments first: there are many blocks.
        kind = self._kinds[asked] = _Kind(model, shape_of(model), model.__pydantic_validator__.validate_python)
        return kind


def _known(stored: Mapping[str, Any], shape: Shape) -> dict[str, Any]:
    return {name: stored[name] for name in shape.values if name in stored}


def _shown(place: _Place) -> str:
    above, name, index = place
    here = name if index is None else f"{name}[{index}]"
    return here if above is None else f"{_shown(above)}.{here}"


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
