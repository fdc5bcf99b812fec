"""The product of a subscription, and the values that all its subscriptions share."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from orchestrator.domain.shape import DomainModel, shape_of
from orchestrator.errors import ValuesDoNotFitError
from orchestrator.storage.subscription_statements import ProductRow


class ProductModel(BaseModel):
    """A product as its subscriptions show it."""

    model_config = ConfigDict(frozen=True)

    product_id: UUID
    name: str
    description: str
    product_type: str
    tag: str
    status: str
    created_at: datetime | None = None
    end_date: datetime | None = None

    @classmethod
    def from_row(cls, row: ProductRow) -> ProductModel:
        """The product of a row."""
        return cls(
            product_id=row.product_id,
            name=row.name,
            description=row.description,
            product_type=row.product_type,
            tag=row.tag,
            status=row.status,
            created_at=row.created_at,
            end_date=row.end_date,
        )


def read_fixed_inputs(model: type[DomainModel], row: ProductRow) -> dict[str, Any]:
    """The fixed inputs of a product in the types that the model gives them.

    Raises:
        ValuesDoNotFitError: a value does not fit its type.
    """
    values: dict[str, Any] = {}
    for name in shape_of(model).values:
        if name not in row.fixed_inputs:
            continue
        try:
            values[name] = _read(_adapter(model, name), row.fixed_inputs[name])
        except ValidationError as error:
            reason = error.errors(include_url=False)[0]["msg"]
            raise ValuesDoNotFitError(
                f"Fixed input {name} of product {row.name!r} does not fit {model.__qualname__}: {reason}"
            ) from error
    return values


@lru_cache(maxsize=512)
def _adapter(model: type[DomainModel], name: str) -> TypeAdapter[Any]:
    info = model.model_fields[name]
    annotation: Any = Annotated[(info.annotation, *info.metadata)] if info.metadata else info.annotation
    return TypeAdapter(annotation)


def _read(adapter: TypeAdapter[Any], value: str) -> Any:
    """The text as it stands, or, when the type is none that reads text (a list, a Literal[10]), as JSON."""
    try:
        return adapter.validate_python(value)
    except ValidationError:
        try:
            parsed = json.loads(value)
        except ValueError:
            parsed = value
        return adapter.validate_python(parsed)
