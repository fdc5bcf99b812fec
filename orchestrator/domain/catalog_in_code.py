"""The catalog as the code has it: what registered models and workflows ask of the database, as frozen values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any, Literal, get_args, get_origin

import orjson
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo

from orchestrator.domain.shape import DomainModel, concrete_kinds, shape_of
from orchestrator.domain.value_types import adapter_of, json_kinds, takes_none, type_name
from orchestrator.errors import AuthoringError
from orchestrator.language.catalog import Catalog, ProductFacts
from orchestrator.language.vocabulary import ON_EVERY_PRODUCT, SubscriptionLifecycle, Target
from orchestrator.language.workflow_definition import Workflow

TASKS = frozenset({Target.SYSTEM, Target.VALIDATE})


@dataclass(frozen=True)
class CodeField:
    """A resource type of a block, as the model that allows most has it.

    `kinds` are the kinds of JSON that its values can be; `needed_in` the statuses in which a block must have one.
    `adapter` reads any value of it, `needs` those in the statuses where there must be one.
    """

    name: str
    type_name: str
    description: str
    kinds: frozenset[str]
    needed_in: frozenset[str]

    @property
    def needed_while_live(self) -> frozenset[str]:
        """`needed_in` without the status of what has ended, which nobody fills in any more."""
        return self.needed_in - {SubscriptionLifecycle.TERMINATED.value}

    adapter: TypeAdapter[Any] = dataclass_field(compare=False, repr=False)
    needs: tuple[TypeAdapter[Any], ...] = dataclass_field(compare=False, repr=False)


@dataclass(frozen=True)
class CodeBlock:
    """A product block that the model of some product can reach, and the blocks that it may refer to."""

    name: str
    fields: Mapping[str, CodeField]
    depends_on: frozenset[str]


@dataclass(frozen=True)
class CodeProduct:
    """A product: its root blocks and all that these lead to, and its fixed inputs.

    `fixed_inputs` has those that the database must have, with their value or None when the code does not say it;
    `optional` the names that the model knows a value for by itself.
    """

    name: str
    model: str
    facts: ProductFacts
    fixed_inputs: Mapping[str, str | None]
    optional: frozenset[str]
    blocks: frozenset[str]
    reachable: frozenset[str]


@dataclass(frozen=True)
class CodeWorkflow:
    """A workflow; `products` is None where the code leaves them to the database."""

    name: str
    target: str
    description: str
    is_task: bool
    products: frozenset[str] | None


@dataclass(frozen=True)
class CodeCatalog:
    """Everything, by name."""

    products: Mapping[str, CodeProduct]
    blocks: Mapping[str, CodeBlock]
    workflows: Mapping[str, CodeWorkflow]

    def products_of(self, workflow: CodeWorkflow) -> frozenset[str] | None:
        """The products of a new workflow: those that it says, or the only one there is; None when that is not clear."""
        if workflow.products is not None:
            return workflow.products
        if workflow.target == Target.SYSTEM:
            return frozenset()
        return frozenset(self.products) if len(self.products) == 1 else None


def describe_code(catalog: Catalog) -> CodeCatalog:
    """What a catalog asks of the database.

    Raises:
        AuthoringError: a model cannot be read, a workflow is for a product that is not registered, or a fixed input is
            stated that the model does not have.
    """
    found: dict[str, list[type[DomainModel]]] = {}
    products = {
        name: _product(name, model, catalog.facts[name], found) for name, model in sorted(catalog.products.items())
    }
    blocks = {name: _block(name, models) for name, models in sorted(found.items())}
    workflows = {name: _workflow(one, catalog) for name, one in sorted(catalog.workflows.items())}
    return CodeCatalog(products, blocks, workflows)


def _workflow(workflow: Workflow, catalog: Catalog) -> CodeWorkflow:
    products = catalog.products_of.get(workflow.name)
    if products is None and workflow.name in ON_EVERY_PRODUCT:
        products = frozenset(catalog.products)
    if unknown := sorted((products or frozenset()) - set(catalog.products)):
        raise AuthoringError(
            f"add_workflow: {workflow.name!r} is for {unknown[0]!r}, which no add_product has registered"
        )
    is_task = workflow.is_task or workflow.target in TASKS
    return CodeWorkflow(workflow.name, workflow.target.value, workflow.description, is_task, products)


def _product(name: str, model: type, facts: ProductFacts, found: dict[str, list[type[DomainModel]]]) -> CodeProduct:
    assert issubclass(model, DomainModel)  # use_products has looked
    variants = _variants(model)
    stated = facts.fixed_inputs or {}
    known: dict[str, FieldInfo] = {}
    needed: dict[str, str | None] = {}
    for variant in variants:
        for field in shape_of(variant).values:
            info = variant.model_fields[field]
            known.setdefault(field, info)
            if info.is_required() and field not in stated:
                needed[field] = _only_value(info)
    if unknown := sorted(set(stated) - set(known)):
        raise AuthoringError(
            f"add_product: {name!r} states the fixed input {unknown[0]!r}, which {model.__qualname__} does not have"
        )
    roots: set[str] = set()
    reachable: set[str] = set()
    for variant in variants:
        for kind in _kinds(variant):
            roots.add(_name(kind))
            _collect(kind, found, reachable)
    return CodeProduct(
        name=name,
        model=model.__name__,
        facts=facts,
        fixed_inputs={**needed, **stated},
        optional=frozenset(set(known) - set(needed) - set(stated)),
        blocks=frozenset(roots),
        reachable=frozenset(reachable),
    )


def _collect(kind: type[DomainModel], found: dict[str, list[type[DomainModel]]], reachable: set[str]) -> None:
    name = _name(kind)
    if name in reachable:
        return
    reachable.add(name)
    models = found.setdefault(name, [])
    models += [variant for variant in _variants(kind) if variant not in models]
    for variant in _variants(kind):
        for below in _kinds(variant):
            _collect(below, found, reachable)


def _block(name: str, models: list[type[DomainModel]]) -> CodeBlock:
    fields: dict[str, CodeField] = {}
    for model in models:
        for field in shape_of(model).values:
            if field not in fields:
                fields[field] = _field(field, model.model_fields[field], models)
    depends_on = frozenset(_name(kind) for model in models for kind in _kinds(model))
    return CodeBlock(name, fields, depends_on)


def _field(name: str, info: FieldInfo, models: list[type[DomainModel]]) -> CodeField:
    needed = {
        status.value: asked
        for status in SubscriptionLifecycle
        if (asked := models[0].variant(status).model_fields.get(name)) is not None
        and asked.is_required()
        and not takes_none(asked.annotation)
    }
    return CodeField(
        name=name,
        type_name=type_name(info.annotation),
        description=info.description or "",
        kinds=json_kinds(info),
        needed_in=frozenset(needed),
        adapter=adapter_of(info),
        needs=tuple(adapter_of(asked) for asked in {id(asked): asked for asked in needed.values()}.values()),
    )


def _kinds(model: type[DomainModel]) -> Iterator[type[DomainModel]]:
    for field in shape_of(model).blocks:
        for declared in field.kinds:
            yield from concrete_kinds(declared)


def _base(model: type[DomainModel]) -> type[DomainModel]:
    return model if model.__variants__ is None else model.__variants__.base


def _variants(model: type[DomainModel]) -> list[type[DomainModel]]:
    """The base first: it allows most."""
    every = [_base(model), *(model.variant(status) for status in SubscriptionLifecycle), model]
    return list(dict.fromkeys(every))


def _name(kind: type[DomainModel]) -> str:
    assert kind.__block_name__ is not None
    return kind.__block_name__


def _only_value(info: FieldInfo) -> str | None:
    """The value of a field that can have just one; as the text that fixed inputs are stored as."""
    if get_origin(info.annotation) is not Literal or len(get_args(info.annotation)) > 1:
        return None
    value = TypeAdapter(Any).dump_python(get_args(info.annotation)[0], mode="json")
    return value if isinstance(value, str) else orjson.dumps(value).decode()
