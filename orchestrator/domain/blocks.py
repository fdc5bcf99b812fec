"""`ProductBlockModel`: the blocks that subscriptions are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self
from uuid import UUID

from pydantic import Field, model_validator
from uuid_utils.compat import uuid7

from orchestrator.domain.assembly import BlockAssembly, values_must_fit
from orchestrator.domain.shape import BlockField, DomainModel, shape_of
from orchestrator.errors import AuthoringError, BlockNotFoundError, InvalidInputError
from orchestrator.language.vocabulary import SubscriptionLifecycle
from orchestrator.storage.block_trees import load_block
from orchestrator.storage.session import db
from orchestrator.storage.subscription_relations import BlockUse, blocks_depended_on, blocks_using


class ProductBlockModel(DomainModel):
    """A block: its values are resource types, and its fields may hold other blocks.

    `class NodeBlockInactive(ProductBlockModel, product_block_name="Node")` is the base of a kind of block; variants
    name the statuses that they are for: `class NodeBlock(NodeBlockInactive, lifecycle=[SubscriptionLifecycle.ACTIVE])`.
    A class without a name above it is abstract.
    """

    __is_block__: ClassVar[bool] = True
    __own_fields__: ClassVar[frozenset[str]] = frozenset(
        {"name", "subscription_instance_id", "owner_subscription_id", "label"}
    )

    name: str = ""
    subscription_instance_id: UUID = Field(default_factory=uuid7)
    owner_subscription_id: UUID
    label: str | None = None

    def __init_subclass__(
        cls,
        *,
        product_block_name: str | None = None,
        lifecycle: Sequence[SubscriptionLifecycle] | None = None,
        **config: Any,
    ) -> None:
        """Take a place among the variants of this kind of block."""
        super().__init_subclass__(**config)
        if product_block_name is not None:
            if not isinstance(product_block_name, str) or not product_block_name.strip():
                raise AuthoringError(f"{cls.__qualname__}: product_block_name must be a text, not empty")
            cls.__block_name__ = product_block_name
        cls._join_variants(product_block_name is not None, lifecycle)

    @model_validator(mode="before")
    @classmethod
    def _take_the_name_of_the_class(cls, data: Any) -> Any:
        # A union of blocks is decided here: values that carry another kind's name are refused.
        if type(data) is dict and data.get("name") == cls.__block_name__ is not None:
            return data  # so it is for all that are loaded
        if not isinstance(data, Mapping):
            return data
        if data.get("name") not in (None, "", cls.__block_name__):
            raise ValueError(f"a block {data['name']!r} is not a {cls.__block_name__!r}")
        return {**data, "name": cls.__block_name__}

    @classmethod
    def new(cls, subscription_id: UUID | str, **values: Any) -> Self:
        """A new block owned by this subscription; blocks that it must have and was not given are made as well.

        Raises:
            AuthoringError: the class is abstract, or a block in it may be of several kinds and was not given.
            ValuesDoNotFitError: a value is missing or wrong.
        """
        owner = as_uuid(subscription_id, "subscription")
        if cls.__block_name__ is None:
            raise AuthoringError(f"{cls.__qualname__} is abstract (no product_block_name): it cannot be made")
        values.pop("name", None)
        with values_must_fit(cls):
            return cls(owner_subscription_id=owner, **{**default_blocks(cls, owner, values), **values})

    @classmethod
    def from_db(cls, subscription_instance_id: UUID | str) -> Self:
        """Load a block with all blocks that it refers to.

        Raises:
            BlockNotFoundError: there is none of this id.
            ValuesDoNotFitError: it is of another kind, or its values do not fit this class.
        """
        identifier = as_uuid(subscription_instance_id, "block")
        tree = load_block(db.session, identifier)
        if tree is None:
            raise BlockNotFoundError(f"There is no block {identifier}")
        owner = tree.blocks[str(identifier)].subscription_id
        block = BlockAssembly(tree, owner).root(str(identifier), cls)
        assert isinstance(block, cls)
        return block

    @property
    def in_use_by(self) -> tuple[BlockUse, ...]:
        """The stored blocks that refer to this one."""
        return blocks_using(db.session, self.subscription_instance_id)

    @property
    def depends_on(self) -> tuple[BlockUse, ...]:
        """The stored blocks that this one refers to."""
        return blocks_depended_on(db.session, self.subscription_instance_id)


def as_uuid(identifier: UUID | str, what: str) -> UUID:
    """The UUID of a thing, however it was written.

    Raises:
        InvalidInputError: it is none.
    """
    if isinstance(identifier, UUID):
        return identifier
    try:
        return UUID(identifier)
    except (ValueError, AttributeError, TypeError):
        raise InvalidInputError(f"{identifier!r} is not the id of a {what}: a UUID is needed") from None


def default_blocks(model: type[DomainModel], subscription_id: UUID, given: Mapping[str, Any]) -> dict[str, Any]:
    """The blocks that a new object of this model must have and was not given.

    Raises:
        AuthoringError: one of them may be of several kinds, or of an abstract one.
    """
    made: dict[str, Any] = {}
    for field in shape_of(model).blocks:
        if field.name in given or field.has_default:
            continue
        if field.many:
            made[field.name] = [_default_block(model, field, subscription_id) for _ in range(field.minimum)]
        else:
            made[field.name] = None if field.optional else _default_block(model, field, subscription_id)
    return made


def _default_block(model: type[DomainModel], field: BlockField, subscription_id: UUID) -> ProductBlockModel:
    kind = field.kinds[0]
    if len(field.kinds) > 1 or not issubclass(kind, ProductBlockModel) or kind.__block_name__ is None:
        names = " or ".join(one.__qualname__ for one in field.kinds)
        raise AuthoringError(f"{model.__qualname__}.{field.name} may be {names}: make the block and pass it in")
    return kind.new(subscription_id)
