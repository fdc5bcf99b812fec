"""Arguments of an author's function, built from the state as its parameters ask for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, Protocol, assert_never
from uuid import UUID

from pydantic import ValidationError

from orchestrator.errors import ArgumentError, MissingParameterError
from orchestrator.language.json_values import copy_json
from orchestrator.language.parameters import (
    NOTHING,
    Coerced,
    ModelList,
    OneModel,
    Parameter,
    Raw,
    Reader,
    Text,
    WholeState,
    name_of_function,
    plan_of,
)
from orchestrator.language.vocabulary import State

NO_EXTRAS: Final[Mapping[str, object]] = MappingProxyType({})
_SHOWN_KEYS: Final = 40


class ModelLoader(Protocol):
    """Loads the subscription models that parameters ask for."""

    def load(self, annotation: Any, identifier: UUID) -> object:
        """The model of the subscription, as the class or the union of classes that the annotation is."""
        ...


def build_arguments(
    function: Callable[..., Any],
    state: State,
    loader: ModelLoader,
    extras: Mapping[str, object] = NO_EXTRAS,
    label: str | None = None,
) -> dict[str, Any]:
    """The keyword arguments to call a function with.

    Args:
        function: takes its arguments by name.
        state: plain values; it is not changed, and nothing of it is handed out without a copy.
        extras: further values by name, used where the state lacks the name.
        label: what messages call the function.

    Raises:
        MissingParameterError: a parameter without a default is not in the state.
        ArgumentError: a value does not fit the annotation.
        AuthoringError: the annotations cannot be used.
    """
    called = label or name_of_function(function)
    return {one.name: _argument(one, state, loader, extras, called) for one in plan_of(function)}


def _argument(parameter: Parameter, state: State, loader: ModelLoader, extras: Mapping[str, object], label: str) -> Any:
    reader = parameter.reader
    if isinstance(reader, WholeState):
        return copy_json(state)
    if parameter.name in state:
        value = state[parameter.name]
    elif parameter.name in extras:
        value = extras[parameter.name]
    elif parameter.default is not NOTHING:
        return parameter.default
    elif parameter.may_be_missing:
        return [] if isinstance(reader, ModelList) and not reader.optional else None
    else:
        raise MissingParameterError(f"{label}: parameter {parameter.name!r} is not in the state; {_held(state)}")
    if value is None and parameter.default is None:
        return None
    try:
        return _read(reader, value, loader)
    except _UnfitError as error:
        raise ArgumentError(f"{label}: parameter {parameter.name!r} should be {parameter.shown}: {error}") from None


class _UnfitError(Exception):
    pass


def _read(reader: Reader, value: Any, loader: ModelLoader) -> Any:
    match reader:
        case WholeState() | Raw():
            return copy_json(value)
        case Text():
            return _text(value)
        case Coerced(adapter):
            try:
                return adapter.validate_python(copy_json(value))
            except ValidationError as error:
                raise _UnfitError(_reasons(error)) from error
        case OneModel(annotation, optional):
            if value is None and optional:
                return None
            return loader.load(annotation, _identifier(value))
        case ModelList(annotation, optional):
            if value is None and optional:
                return None
            if not isinstance(value, list | tuple):
                raise _UnfitError(f"the state holds a value of type {type(value).__name__}, not a list")
            identifiers = [_identifier(one) for one in value]
            return [loader.load(annotation, one) for one in identifiers]
    assert_never(reader)


def _text(value: Any) -> str:
    if isinstance(value, str) and not isinstance(value, Enum):
        return value
    if isinstance(value, UUID):
        return str(value)
    if isinstance(value, Enum) and isinstance(value.value, str):
        return value.value
    raise _UnfitError(f"the state holds a value of type {type(value).__name__}")


def _identifier(value: Any) -> UUID:
    """The id of a subscription: a UUID, its text, an object with a `subscription_id`, or a model."""
    if isinstance(value, Mapping):
        if "subscription_id" not in value:
            raise _UnfitError("the state holds an object without 'subscription_id'")
        value = value["subscription_id"]
    elif hasattr(value, "subscription_id"):
        value = value.subscription_id
    if isinstance(value, UUID):
        return value
    if not isinstance(value, str):
        raise _UnfitError(f"the id of a subscription is needed, the state holds a value of type {type(value).__name__}")
    try:
        return UUID(value)
    except ValueError:
        raise _UnfitError("the id of a subscription is needed, the state holds a text that is no UUID") from None


def _reasons(error: ValidationError) -> str:
    """The first messages of pydantic, without the values."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" if one["loc"] else one["msg"] for one in found[:3]]
    return "; ".join(shown) + (f"; and {len(found) - 3} more" if len(found) > 3 else "")


def _held(state: State) -> str:
    if not state:
        return "it is empty"
    names = sorted(state)
    more = f" and {len(names) - _SHOWN_KEYS} more" if len(names) > _SHOWN_KEYS else ""
    return f"it has: {', '.join(names[:_SHOWN_KEYS])}{more}"
