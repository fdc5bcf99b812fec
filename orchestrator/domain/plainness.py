"""Which models add nothing of their authors to what is stored: their values are told by the rows they are made of."""

from __future__ import annotations

import types
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from inspect import unwrap
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

from annotated_types import Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from orchestrator.domain.shape import DomainModel
from orchestrator.domain.value_types import adapter_of
from orchestrator.language.json_values import to_json

_TYPES: Final = frozenset(
    {str, int, float, bool, type(None), list, dict, tuple, set, frozenset}
    | {UUID, Decimal, datetime, date, time, timedelta}
    | {IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network}
)
_BOUNDS: Final = (Ge, Gt, Interval, Le, Len, Lt, MaxLen, MinLen, MultipleOf)
# Ours, in a class that is a subscription or a block: it changes no value.
_OUR_VALIDATORS: Final = {"_take_the_name_of_the_class"}
_HOOKS: Final = ("__init__", "__new__", "__setattr__", "model_post_init", "__get_pydantic_core_schema__")


@lru_cache(maxsize=1024)
def is_plain(model: type[DomainModel]) -> bool:
    """Whether no code of an author takes part when a stored object of this model is made, or shown as JSON.

    Validators, serializers and hooks are such code, and so are types that pydantic does not know by itself. Computed
    fields are none: they are not stored.
    """
    decorators = model.__pydantic_decorators__
    if (
        decorators.validators
        or decorators.field_validators
        or decorators.root_validators
        or decorators.field_serializers
        or decorators.model_serializers
        or not decorators.model_validators.keys() <= _OUR_VALIDATORS
        or not all(_is_of_the_framework(model, hook) for hook in _HOOKS)
    ):
        return False
    # The columns of a subscription are not told by the rows of its blocks.
    ignored = frozenset() if model.__is_block__ else model.__own_fields__
    return all(
        _is_plain_type(info.annotation) and all(map(_is_bound, info.metadata))
        for name, info in model.model_fields.items()
        if name not in ignored
    )


def value_of(model: type[DomainModel], name: str, stored: Any) -> Any:
    """What the value of a field is as JSON, when a plain model has read it: text `"5"` is 5 where a number is asked.

    Raises:
        UnstorableValueError: as from `to_json`.
    """
    adapter = _adapter(model, name)
    try:
        return to_json(adapter.dump_python(adapter.validate_python(stored), mode="json"), name)
    except ValidationError:
        return stored


@lru_cache(maxsize=4096)
def _adapter(model: type[DomainModel], name: str) -> Any:
    return adapter_of(model.model_fields[name], model.model_config)


def _is_of_the_framework(model: type[DomainModel], hook: str) -> bool:
    # Pydantic wraps the hook that makes private attributes anew in each class.
    module = unwrap(getattr(model, hook)).__module__ or ""
    return module == DomainModel.__module__ or module.partition(".")[0] in ("", "pydantic")


def _is_plain_type(annotation: Any) -> bool:
    if hasattr(annotation, "__value__"):
        return _is_plain_type(annotation.__value__)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return all(map(_is_bound, arguments[1:])) and _is_plain_type(arguments[0])
    if origin is Literal:
        return True
    if origin in (Union, types.UnionType) or origin in _TYPES:
        return all(part is Ellipsis or _is_plain_type(part) for part in arguments)
    if annotation is Any:
        return True
    return isinstance(annotation, type) and (annotation in _TYPES or issubclass(annotation, Enum | DomainModel))


def _is_bound(metadata: Any) -> bool:
    if isinstance(metadata, FieldInfo):
        return all(map(_is_bound, metadata.metadata))
    return type(metadata) in _BOUNDS
