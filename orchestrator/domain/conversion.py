"""The same blocks as other variants of their kinds, when a subscription changes its status."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from orchestrator.domain.assembly import values_must_fit
from orchestrator.domain.blocks import ProductBlockModel
from orchestrator.domain.shape import BlockField, DomainModel, kind_named, shape_of
from orchestrator.errors import BlockCycleError
from orchestrator.language.vocabulary import SubscriptionLifecycle


class Conversion:
    """Makes the blocks of one subscription anew as the variants that another model asks for."""

    def __init__(self, owner: UUID, status: SubscriptionLifecycle) -> None:
        """Blocks of `owner` are converted; those of other subscriptions stay the objects that they are."""
        self._owner = owner
        self._status = status
        self._converted: dict[UUID, DomainModel] = {}
        self._under_way: dict[UUID, str] = {}

    def fields(self, source: DomainModel, target: type[DomainModel], path: str = "") -> dict[str, Any]:
        """The values for the fields of `target`, taken from those of `source` that have the same name.

        Raises:
            ValuesDoNotFitError: a block lacks a value that its new variant must have.
            BlockCycleError: a block refers to itself through others.
        """
        present = type(source).model_fields
        values = {name: getattr(source, name) for name in shape_of(target).values if name in present}
        return {**values, **self.blocks(source, target, path)}

    def blocks(self, source: DomainModel, target: type[DomainModel], path: str = "") -> dict[str, Any]:
        """As `fields`, for the fields of blocks alone."""
        present = type(source).model_fields
        return {
            field.name: self._value(getattr(source, field.name), field, f"{path}.{field.name}" if path else field.name)
            for field in shape_of(target).blocks
            if field.name in present
        }

    def _value(self, value: Any, field: BlockField, path: str) -> Any:
        if isinstance(value, list):
            return [self._block(item, field, f"{path}[{index}]") for index, item in enumerate(value)]
        return self._block(value, field, path)

    def _block(self, block: Any, field: BlockField, path: str) -> Any:
        if not isinstance(block, ProductBlockModel):
            return block
        identifier = block.subscription_instance_id
        owner = block.owner_subscription_id
        if owner != self._owner and isinstance(block, field.kinds):
            return block
        if identifier in self._under_way:
            raise BlockCycleError(
                f"The block at {self._under_way[identifier]} refers to itself: {path} is the same one"
            )
        converted = self._converted.get(identifier)
        if converted is None:
            kind = kind_named(field.kinds, block.__block_name__ or "", self._status, is_own=True)
            if kind is None:
                return block
            self._under_way[identifier] = path
            with values_must_fit(kind, path):
                converted = kind(
                    subscription_instance_id=identifier,
                    owner_subscription_id=owner,
                    label=block.label,
                    **self.fields(block, kind, path),
                )
            del self._under_way[identifier]
            self._converted[identifier] = converted
        return converted
