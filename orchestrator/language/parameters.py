"""How each parameter of an author's function gets its value from the state: by its name and its annotation.

A plan is made once per function. A class with a `from_subscription` is a subscription model; `str`, `dict`, `Any` and
no annotation take what the state holds; anything else is made by pydantic.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Annotated, Any, Final, Union, get_args, get_origin, get_type_hints

from pydantic import PydanticUndefinedAnnotation, PydanticUserError, TypeAdapter

from orchestrator.errors import AuthoringError, UnresolvedAnnotationError

NOTHING: Final = inspect.Parameter.empty


@dataclass(frozen=True)
class WholeState:
    """A copy of the state."""


@dataclass(frozen=True)
class Raw:
    """A copy of what the state holds."""


@dataclass(frozen=True)
class Text:
    """Text; a UUID or an enum becomes text."""


@dataclass(frozen=True)
class Coerced:
    """What pydantic makes of the value."""

    adapter: TypeAdapter[Any]


@dataclass(frozen=True)
class OneModel:
    """A subscription model: a class or a union of classes. None is allowed when it is optional."""

    annotation: Any
    optional: bool


@dataclass(frozen=True)
class ModelList:
    """A list of subscription models."""

    annotation: Any
    optional: bool


Reader = WholeState | Raw | Text | Coerced | OneModel | ModelList


@dataclass(frozen=True)
class Parameter:
    """How one parameter gets its value. `shown` is its annotation in words."""

    name: str
    reader: Reader
    default: Any
    shown: str

    @property
    def may_be_missing(self) -> bool:
        """Whether the function can be called when the state lacks the name."""
        return (
            self.default is not NOTHING
            or isinstance(self.reader, WholeState | ModelList)
            or (isinstance(self.reader, OneModel) and self.reader.optional)
        )


Plan = tuple[Parameter, ...]


def plan_of(function: Callable[..., Any]) -> Plan:
    """How each parameter of a function gets its value.

    Raises:
        AuthoringError: an annotation cannot be used (UnresolvedAnnotationError: or is not there yet).
    """
    return _cached_plan(function) if isinstance(function, Hashable) else _make_plan(function)


def plan_if_resolvable(function: Callable[..., Any]) -> Plan | None:
    """As `plan_of`, but None while an annotation names something that is not there yet."""
    try:
        return plan_of(function)
    except UnresolvedAnnotationError:
        return None


def _make_plan(function: Callable[..., Any]) -> Plan:
    try:
        parameters = inspect.signature(function).parameters
    except NameError as error:  # Python 3.14 evaluates annotations here
        raise UnresolvedAnnotationError(
            f"an annotation of {name_of_function(function)} cannot be resolved: {error}"
        ) from error
    return tuple(_plan_parameter(function, one) for one in parameters.values())


_cached_plan = cache(_make_plan)


def _plan_parameter(function: Callable[..., Any], parameter: inspect.Parameter) -> Parameter:
    name = parameter.name
    if name == "state":
        return Parameter(name, WholeState(), parameter.default, "the state")
    annotation = _resolve(function, parameter)
    shown = inspect.formatannotation(annotation) if annotation is not NOTHING else "anything"
    try:
        reader = _reader_of(annotation)
    except PydanticUndefinedAnnotation as error:
        raise UnresolvedAnnotationError(_unusable(function, name, shown, error)) from error
    except PydanticUserError as error:
        # A TypedDict of the typing module is a dict like any other where pydantic needs a newer Python to check it.
        if error.code != "typed-dict-version":
            raise AuthoringError(_unusable(function, name, shown, error)) from error
        reader = Raw()
    except AuthoringError as error:
        raise AuthoringError(_unusable(function, name, shown, error)) from error
    return Parameter(name, reader, parameter.default, shown)


def _unusable(function: Callable[..., Any], name: str, shown: str, error: Exception) -> str:
    reason = str(error).split("\n")[0]
    return (
        f"the annotation {shown!r} of the parameter {name!r} of {name_of_function(function)} cannot be used: {reason}"
    )


def _resolve(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The annotation with its names looked up. One at a time: others, like that of the return, need not be there."""
    if parameter.annotation is NOTHING:
        return NOTHING
    holder = types.SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        return get_type_hints(holder, _globals_of(function), include_extras=True)["it"]
    except Exception as error:
        raise UnresolvedAnnotationError(
            f"the annotation {parameter.annotation!r} of the parameter {parameter.name!r} of "
            f"{name_of_function(function)} cannot be resolved: {error}; is it imported under TYPE_CHECKING, or local "
            "to a function?"
        ) from error


def _globals_of(function: Any) -> dict[str, Any]:
    while True:
        if isinstance(function, partial):
            function = function.func
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        elif hasattr(function, "__globals__"):
            found: dict[str, Any] = function.__globals__
            return found
        elif inspect.ismethod(function):
            function = function.__func__
        else:
            function = type(function).__call__
            if not hasattr(function, "__globals__"):
                return {}


def _reader_of(annotation: Any) -> Reader:
    plain = _without_extras(annotation)
    if plain in (NOTHING, Any, object, dict, list) or plain == dict[str, Any]:
        return Raw()
    if annotation is str:
        return Text()
    if not _mentions_model(plain):
        return Coerced(_adapter(annotation) if isinstance(annotation, Hashable) else TypeAdapter(annotation))
    members = _members(plain)
    present = [one for one in members if one is not type(None)]
    optional = len(present) < len(members)
    if all(is_model(one) for one in present):
        return OneModel(_union(present), optional)
    if len(present) == 1 and get_origin(present[0]) in (list, Sequence):
        items = _members(_without_extras(get_args(present[0])[0]))
        if all(is_model(one) for one in items):
            return ModelList(_union(items), optional)
    raise AuthoringError("subscription models can be asked for as Model, Model | None, A | B and list[Model] only")


def is_model(annotation: Any) -> bool:
    """Whether an annotation is a subscription model: a class that can load a subscription."""
    return isinstance(annotation, type) and callable(getattr(annotation, "from_subscription", None))


def _mentions_model(annotation: Any) -> bool:
    if isinstance(annotation, list):
        return any(map(_mentions_model, annotation))
    return is_model(annotation) or any(map(_mentions_model, get_args(annotation)))


def _without_extras(annotation: Any) -> Any:
    """The annotation without `Annotated[...]` around it, and what a `type X = ...` stands for."""
    while True:
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        elif type(annotation).__name__ == "TypeAliasType" and hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation


def _members(annotation: Any) -> list[Any]:
    if get_origin(annotation) in (Union, types.UnionType):
        return [member for one in get_args(annotation) for member in _members(_without_extras(one))]
    return [annotation]


def _union(classes: list[Any]) -> Any:
    return Union[tuple(classes)]  # noqa: UP007 - made at run time from any number of classes


@cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)


def name_of_function(function: Any) -> str:
    """Where a function is found: module and qualified name."""
    if isinstance(function, partial):
        function = function.func
    name = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{getattr(function, '__module__', None) or '?'}.{name}"
