"""What a model consists of: which of its fields are plain values, and which hold blocks."""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from orchestrator.domain.lifecycle import Variants, read_lifecycle
from orchestrator.errors import AuthoringError
from orchestrator.language.vocabulary import SubscriptionLifecycle


@dataclass(frozen=True)
class BlockField:
    """A field that holds blocks: of which kinds, one or many, and how many at least and at most."""

    name: str
    kinds: tuple[type[DomainModel], ...]
    many: bool
    optional: bool
    minimum: int
    maximum: int | None
    has_default: bool


@dataclass(frozen=True)
class Shape:
    """The fields of a model: plain values by name, and fields of blocks."""

    values: tuple[str, ...]
    blocks: tuple[BlockField, ...]
    value_names: frozenset[str]


class DomainModel(BaseModel):
    """What subscriptions and blocks have in common: variants for each lifecycle, values checked when assigned."""

    model_config = ConfigDict(
        validate_assignment=True, validate_default=True, validate_by_name=True, validate_by_alias=True, extra="ignore"
    )

    __variants__: ClassVar[Variants | None] = None
    __lifecycle__: ClassVar[frozenset[SubscriptionLifecycle] | None] = None
    __shape__: ClassVar[Shape | None] = None
    __is_block__: ClassVar[bool] = False
    __block_name__: ClassVar[str | None] = None
    __own_fields__: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def _join_variants(cls, is_base: bool, lifecycle: Sequence[SubscriptionLifecycle] | None) -> None:
        cls.__shape__ = None
        cls.__lifecycle__ = read_lifecycle(cls.__qualname__, lifecycle)
        if is_base:
            cls.__variants__ = Variants(cls)
        if cls.__variants__ is None:
            if cls.__lifecycle__ is not None:
                keyword = "product_block_name=..." if cls.__is_block__ else "is_base=True"
                raise AuthoringError(f"{cls.__qualname__} has a lifecycle, but no class above it has {keyword}")
        elif is_base or cls.__lifecycle__ is not None:
            cls.__variants__.add(cls, cls.__lifecycle__)

    @classmethod
    def __pydantic_on_complete__(cls) -> None:
        """Check, as soon as all annotations are known, that the blocks suit the lifecycle of this variant."""
        if cls.__lifecycle__ is not None:
            check_blocks_suit(cls)

    @classmethod
    def variant(cls, status: SubscriptionLifecycle) -> type[DomainModel]:
        """The class of this model for a status."""
        return cls if cls.__variants__ is None else cls.__variants__.variant(cls, status)

    @classmethod
    def suits(cls, status: SubscriptionLifecycle) -> bool:
        """Whether objects of this class are as strict as the status asks; stricter ones suit as well."""
        return issubclass(cls, cls.variant(status))

    def __eq__(self, other: object) -> bool:
        """Equal when of one class and equal in all fields; what was loaded plays no part."""
        return type(self) is type(other) and self.__dict__ == other.__dict__

    __hash__ = None  # type: ignore[assignment]


def shape_of(model: type[DomainModel]) -> Shape:
    """The shape of a model, worked out once.

    Raises:
        AuthoringError: an annotation is unknown, blocks stand where they cannot, or a field is called like a method.
    """
    shape = model.__dict__.get("__shape__")
    if shape is None:
        if not model.__pydantic_complete__:
            model.model_rebuild()
        blocks = []
        values = []
        for name, info in model.model_fields.items():
            if name in model.__own_fields__:
                continue
            _require_free(model, name)
            field = _block_field(model, name, info)
            if field is None:
                values.append(name)
            else:
                blocks.append(field)
        shape = Shape(tuple(values), tuple(blocks), frozenset(values))
        model.__shape__ = shape
    return shape


def _require_free(model: type[DomainModel], name: str) -> None:
    # Pydantic takes what a class above has of the same name, like a method, for the default of the field.
    for above in model.__mro__:
        if issubclass(above, DomainModel) and name in vars(above) and _is_ours(above):
            raise AuthoringError(
                f"{model.__qualname__}.{name}: every {above.__name__} has a {name!r} already; call the field otherwise"
            )


def _is_ours(model: type[DomainModel]) -> bool:
    return model is DomainModel or DomainModel in model.__bases__


def check_blocks_suit(model: type[DomainModel]) -> None:
    """Check that the blocks of a variant are as strict as its lifecycle asks.

    Raises:
        AuthoringError: naming the field, its type and the type that it should have.
    """
    for status in model.__lifecycle__ or ():
        for field in shape_of(model).blocks:
            for kind in field.kinds:
                if not kind.suits(status):
                    raise AuthoringError(
                        f"{model.__qualname__}.{field.name} is a {kind.__qualname__}, but for {status.value} "
                        f"it must be a {kind.variant(status).__qualname__}"
                    )


def concrete_kinds(kind: type[DomainModel]) -> Iterator[type[DomainModel]]:
    """The kind itself, or, when it is abstract, the kinds with a name below it."""
    if kind.__variants__ is not None:
        yield kind
        return
    for below in kind.__subclasses__():
        yield from concrete_kinds(below)


def kind_named(
    kinds: tuple[type[DomainModel], ...], name: str, status: SubscriptionLifecycle, is_own: bool
) -> type[DomainModel] | None:
    """The class for a block of this name where these kinds may stand; None when none of them has the name.

    A block of the subscription's own is what the field says; one of another subscription, or one in a field of an
    abstract kind, is the variant for the `status` of its owner.
    """
    for declared in kinds:
        for kind in concrete_kinds(declared):
            if kind.__block_name__ == name:
                of_status = kind.variant(status)
                by_status = not is_own or kind is not declared
                return of_status if by_status and issubclass(of_status, kind) else kind
    return None


def _block_field(model: type[DomainModel], name: str, info: FieldInfo) -> BlockField | None:
    if not _mentions_block(info.annotation):
        if not model.__is_block__ and any(_is_plain_model(part) for part in _parts(info.annotation)):
            raise AuthoringError(
                f"{model.__qualname__}.{name} is a pydantic model; blocks are classes of ProductBlockModel"
            )
        return None
    members, optional = _members(info.annotation)
    many = len(members) == 1 and get_origin(_bare(members[0])[0]) is list
    metadata = list(info.metadata)
    if many:
        listed, extra = _bare(members[0])
        metadata += extra
        members, _ = _members(get_args(listed)[0])
    if not all(_is_block(member) for member in members):
        raise AuthoringError(
            f"{model.__qualname__}.{name}: blocks can stand alone, in a union of blocks, optional or in a list, "
            f"not in {info.annotation}"
        )
    return BlockField(
        name,
        tuple(members),
        many,
        optional,
        minimum=max((getattr(entry, "min_length", None) or 0 for entry in metadata), default=0),
        maximum=min(
            (most for entry in metadata if (most := getattr(entry, "max_length", None)) is not None), default=None
        ),
        has_default=not info.is_required(),
    )


def _bare(annotation: Any) -> tuple[Any, list[Any]]:
    """The annotation without `Annotated` and type aliases, and what was annotated."""
    metadata: list[Any] = []
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *extra = get_args(annotation)
            metadata += extra
        elif hasattr(annotation, "__value__"):
            annotation = annotation.__value__
        else:
            return annotation, metadata


def _members(annotation: Any) -> tuple[list[Any], bool]:
    """The members of a union (one, when it is none) without None, and whether None was among them."""
    bare, _ = _bare(annotation)
    if get_origin(bare) not in (Union, types.UnionType):
        return [annotation if get_origin(bare) is list else bare], False
    members: list[Any] = []
    optional = False
    for argument in get_args(bare):
        if argument is type(None):
            optional = True
            continue
        below, below_optional = _members(argument)
        members += below
        optional = optional or below_optional
    return members, optional


def _parts(annotation: Any) -> Iterable[Any]:
    bare, _ = _bare(annotation)
    yield bare
    for argument in get_args(bare):
        yield from _parts(argument)


def _is_block(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, DomainModel) and part.__is_block__


def _is_plain_model(part: Any) -> bool:
    return isinstance(part, type) and issubclass(part, BaseModel)


def _mentions_block(annotation: Any) -> bool:
    return any(_is_block(part) for part in _parts(annotation))
