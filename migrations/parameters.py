"""The dicts that data revisions give: what they may say, and how a wrong one is refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from orchestrator.errors import DataRevisionError
from orchestrator.language.vocabulary import Target

Name = Annotated[str, Field(min_length=1)]
Status = Literal["active", "pre production", "phase out", "end of life"]
# A description, or a description (of a fixed input: its value) with the id that the row is to have everywhere.
Described = str | tuple[str, UUID]


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class WorkflowParameters(_Parameters):
    """A workflow, and the products that it is for: those with the tag whose name is LIKE the phrase, or by name."""

    name: Name
    target: Target
    description: str = ""
    tag: Name | None = None
    search_phrase: Name | None = None
    products: list[Name] = Field(default_factory=list)
    is_task: bool | None = None
    workflow_id: UUID | None = None

    @model_validator(mode="after")
    def _phrase_needs_tag(self) -> Self:
        if self.search_phrase is not None and self.tag is None:
            raise ValueError("search_phrase says which products of a tag: tag is missing")
        if self.products and self.tag is not None:
            raise ValueError("products are named one by one, or found by their tag, not both")
        return self


class ProductBlockParameters(_Parameters):
    """A product block, its resource types with their types, and the blocks that it may refer to."""

    name: Name
    description: str = ""
    tag: str = ""
    status: Status = "active"
    product_block_id: UUID | None = None
    resource_types: dict[Name, Described] | list[Name] = Field(default_factory=dict)
    value_types: dict[Name, Name] = Field(default_factory=dict)
    depends_on: list[Name] = Field(default_factory=list)


class ProductParameters(_Parameters):
    """A product, its fixed inputs and its blocks."""

    name: Name
    product_type: Name
    tag: Name
    description: str = ""
    status: Status = "active"
    product_id: UUID | None = None
    fixed_inputs: dict[Name, Described] = Field(default_factory=dict)
    product_blocks: list[Name] = Field(default_factory=list)


class ProductChanges(_Parameters):
    """What may become different about a product."""

    product_type: Name | None = None
    tag: Name | None = None
    description: str | None = None
    status: Status | None = None


class WorkflowChanges(_Parameters):
    """What may become different about a workflow."""

    target: Target | None = None
    description: str | None = None
    is_task: bool | None = None


class CatalogParameters(_Parameters):
    """Everything that one revision brings: either names with their dicts, or a list of dicts that have a name."""

    resource_types: dict[Name, Described] = Field(default_factory=dict)
    product_blocks: list[ProductBlockParameters] = Field(default_factory=list)
    products: list[ProductParameters] = Field(default_factory=list)
    workflows: list[WorkflowParameters] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _names_as_keys(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        listed = {"product_blocks", "products", "workflows"}
        return {key: _listed(value) if key in listed else value for key, value in given.items()}


P = TypeVar("P", bound=_Parameters)


def read(kind: type[P], params: Mapping[str, Any] | None, keywords: Mapping[str, Any]) -> P:
    """Return the parameters that a dict, keywords or both of them give.

    Raises:
        DataRevisionError: a key is unknown, missing or has a value that it cannot have; the message names each.
    """
    given = {**(params or {}), **keywords}
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        wrong = "; ".join(_sentence(kind, item["type"], item["loc"], item["msg"]) for item in error.errors())
        raise DataRevisionError(f"{_title(given)}{wrong}.") from None


def _listed(entries: Any) -> Any:
    if isinstance(entries, Mapping):
        return [{"name": name, **entry} for name, entry in entries.items()]
    return entries


def _title(given: Mapping[str, Any]) -> str:
    return f"{given['name']!r}: " if "name" in given else ""


def _sentence(kind: type[_Parameters], type_: str, place: Sequence[str | int], message: str) -> str:
    where = ".".join(map(str, place))
    if type_ == "extra_forbidden":
        known = f" (known: {', '.join(kind.model_fields)})" if len(place) == 1 else ""
        return f"the key {where!r} is not known{known}"
    if type_ == "missing":
        return f"the key {where!r} is missing"
    said = message.removeprefix("Value error, ").replace("Input should be", "should be")
    return f"{where} {said}" if where else said
