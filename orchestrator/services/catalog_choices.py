"""What only a person can say about a difference: what was renamed, what may go, what fills in.

Choices are texts, as they stand on the command line: `old=new` for a product, block or workflow, `Block.old=new` and
`Product.old=new` for a resource type and a fixed input, `Block.name` for what may go, `Block.name=JSON` for a value.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from pydantic import ValidationError

from orchestrator.domain.catalog_comparison import catalog_differences
from orchestrator.domain.catalog_differences import (
    BlockExtra,
    BlockMissing,
    CatalogDifference,
    FixedInputExtra,
    FixedInputMissing,
    ProductExtra,
    ProductMissing,
    ResourceTypeExtra,
    ResourceTypeMissing,
    ValuesMissing,
    WorkflowExtra,
    WorkflowMissing,
)
from orchestrator.domain.catalog_in_code import CodeCatalog, CodeField
from orchestrator.errors import InvalidInputError
from orchestrator.storage.catalog_reading import StoredCatalog

Names = tuple[str, str]


@dataclass(frozen=True)
class Choices:
    """What was chosen, as texts."""

    rename_product: tuple[str, ...] = ()
    rename_block: tuple[str, ...] = ()
    rename_workflow: tuple[str, ...] = ()
    rename_resource_type: tuple[str, ...] = ()
    rename_fixed_input: tuple[str, ...] = ()
    remove_resource_type: tuple[str, ...] = ()
    remove_workflow: tuple[str, ...] = ()
    default: tuple[str, ...] = ()

    def add(self, name: str, value: str) -> Choices:
        """These, and one more."""
        return replace(self, **{name: (*getattr(self, name), value)})


@dataclass(frozen=True)
class Rename:
    """One new name; `owner` is the block or product that a resource type or fixed input belongs to, else empty."""

    kind: str
    owner: str
    old: str
    new: str


@dataclass(frozen=True)
class Chosen:
    """What choices mean: the catalog with its new names, what still differs then, and what may be done about it."""

    renames: tuple[Rename, ...]
    stored: StoredCatalog
    differences: tuple[CatalogDifference, ...]
    removed_resource_types: frozenset[Names] = frozenset()
    removed_workflows: frozenset[str] = frozenset()
    defaults: Mapping[Names, Any] = field(default_factory=dict)


def read_choices(choices: Choices, code: CodeCatalog, stored: StoredCatalog) -> Chosen:
    """Say what choices mean for these differences.

    Raises:
        InvalidInputError: a choice fits none of them; the message says what would.
    """
    chosen = Chosen((), stored, catalog_differences(code, stored))
    for kind, texts, find in (
        ("product", choices.rename_product, _products),
        ("block", choices.rename_block, _blocks),
        ("workflow", choices.rename_workflow, _workflows),
    ):
        chosen = _renamed(chosen, code, kind, texts, find)
    before = {rename.new: rename.old for rename in chosen.renames if rename.kind != "workflow"}
    for kind, texts, find in (
        ("resource type", choices.rename_resource_type, _resource_types),
        ("fixed input", choices.rename_fixed_input, _fixed_inputs),
    ):
        chosen = _renamed(chosen, code, kind, texts, find, before)
    gone = {(one.block, one.name) for one in chosen.differences if isinstance(one, ResourceTypeExtra)}
    labels = {f"{block}.{name}": (block, name) for block, name in gone}
    labels |= {f"{before[block]}.{name}": (block, name) for block, name in gone if block in before}
    left = {one.workflow.name: one.workflow.name for one in chosen.differences if isinstance(one, WorkflowExtra)}
    return replace(
        chosen,
        removed_resource_types=frozenset(_pick("remove-resource-type", choices.remove_resource_type, labels)),
        removed_workflows=frozenset(_pick("remove-workflow", choices.remove_workflow, left)),
        defaults=_defaults(choices.default, chosen.differences, before),
    )


def _renamed(
    chosen: Chosen,
    code: CodeCatalog,
    kind: str,
    texts: Iterable[str],
    find: Callable[[CatalogDifference], tuple[Names | None, Names | None]],
    before: Mapping[str, str] | None = None,
) -> Chosen:
    found = [find(one) for one in chosen.differences]
    gone = [old for old, _ in found if old is not None]
    new = [one for _, one in found if one is not None]
    possible = {
        f"{label}={to}": Rename(kind, owner, old, to)
        for owner, old in gone
        for label in _labels(owner, old, before or {})
        for new_owner, to in new
        if owner == new_owner
    }
    renames = list(_pick(f"rename-{kind.replace(' ', '-')}", texts, possible))
    for one in ("old", "new"):
        names = [(rename.owner, getattr(rename, one)) for rename in renames]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise InvalidInputError(f"The {kind} {twice[1]!r} is renamed twice.")
    if not renames:
        return chosen
    stored = chosen.stored
    for rename in renames:
        stored = _rename(stored, rename)
    return Chosen((*chosen.renames, *renames), stored, catalog_differences(code, stored))


def _labels(owner: str, name: str, before: Mapping[str, str]) -> list[str]:
    return [f"{one}.{name}" for one in (owner, before.get(owner)) if one] if owner else [name]


Picked = TypeVar("Picked")


def _pick(option: str, texts: Iterable[str], possible: Mapping[str, Picked]) -> Iterable[Picked]:
    for given in dict.fromkeys(texts):
        if given not in possible:
            would = ", ".join(f'"{one}"' for one in sorted(possible)) or "nothing, at present"
            raise InvalidInputError(f"--{option} {given!r} fits no difference; what fits: {would}.")
        yield possible[given]


def _products(one: CatalogDifference) -> tuple[Names | None, Names | None]:
    old = ("", one.product.name) if isinstance(one, ProductExtra) else None
    return old, ("", one.product.name) if isinstance(one, ProductMissing) else None


def _blocks(one: CatalogDifference) -> tuple[Names | None, Names | None]:
    old = ("", one.block.name) if isinstance(one, BlockExtra) else None
    return old, ("", one.block.name) if isinstance(one, BlockMissing) else None


def _workflows(one: CatalogDifference) -> tuple[Names | None, Names | None]:
    old = ("", one.workflow.name) if isinstance(one, WorkflowExtra) else None
    return old, ("", one.workflow.name) if isinstance(one, WorkflowMissing) else None


def _resource_types(one: CatalogDifference) -> tuple[Names | None, Names | None]:
    old = (one.block, one.name) if isinstance(one, ResourceTypeExtra) else None
    return old, (one.block, one.field.name) if isinstance(one, ResourceTypeMissing) else None


def _fixed_inputs(one: CatalogDifference) -> tuple[Names | None, Names | None]:
    old = (one.product, one.name) if isinstance(one, FixedInputExtra) else None
    return old, (one.product, one.name) if isinstance(one, FixedInputMissing) else None


def _rename(stored: StoredCatalog, rename: Rename) -> StoredCatalog:
    def swap(names: frozenset[str]) -> frozenset[str]:
        return frozenset(rename.new if name == rename.old else name for name in names)

    products, blocks, workflows = stored.products, stored.blocks, stored.workflows
    match rename.kind:
        case "product":
            products = _keyed(replace(one, name=_new(one.name, rename)) for one in products.values())
            workflows = _keyed(replace(one, products=swap(one.products)) for one in workflows.values())
        case "block":
            products = _keyed(replace(one, blocks=swap(one.blocks)) for one in products.values())
            blocks = _keyed(
                replace(one, name=_new(one.name, rename), depends_on=swap(one.depends_on)) for one in blocks.values()
            )
        case "workflow":
            products = _keyed(replace(one, workflows=swap(one.workflows)) for one in products.values())
            workflows = _keyed(replace(one, name=_new(one.name, rename)) for one in workflows.values())
        case "resource type":
            block = blocks[rename.owner]
            types, values = _moved(block.resource_types, rename), _moved(block.values, rename)
            blocks = {**blocks, block.name: replace(block, resource_types=types, values=values)}
        case "fixed input":
            product = products[rename.owner]
            inputs = _moved(product.fixed_inputs, rename)
            products = {**products, product.name: replace(product, fixed_inputs=inputs)}
    return replace(stored, products=products, blocks=blocks, workflows=workflows)


def _new(name: str, rename: Rename) -> str:
    return rename.new if name == rename.old else name


def _keyed(entries: Iterable[Any]) -> dict[str, Any]:
    return {entry.name: entry for entry in entries}


def _moved(entries: Mapping[str, Any], rename: Rename) -> dict[str, Any]:
    return {_new(name, rename): value for name, value in entries.items() if name != rename.new}


def _defaults(
    texts: Iterable[str], differences: Iterable[CatalogDifference], before: Mapping[str, str]
) -> dict[Names, Any]:
    fields = {
        f"{label}=": (one.block, one.field)
        for one in differences
        if isinstance(one, ResourceTypeMissing | ValuesMissing)
        for label in _labels(one.block, one.field.name, before)
    }
    defaults: dict[Names, Any] = {}
    for given in texts:
        label = max((label for label in fields if given.startswith(label)), key=len, default=None)
        if label is None:
            would = ", ".join(f'"{one}..."' for one in sorted(fields)) or "nothing, at present"
            raise InvalidInputError(f"--default {given!r} fits no difference; what fits: {would}.")
        block, code_field = fields[label]
        defaults[block, code_field.name] = read_default(block, code_field, given.removeprefix(label))
    return defaults


def read_default(block: str, code_field: CodeField, given: str) -> Any:
    """The value that a text says for a field, as it is stored.

    Raises:
        InvalidInputError: it is no JSON, or does not fit the type.
    """
    place = f"{block}.{code_field.name}"
    try:
        value = json.loads(given)
    except ValueError:
        raise InvalidInputError(f"The default of {place} is JSON, like 7 or '\"text\"', not {given!r}.") from None
    adapters = code_field.needs or (code_field.adapter,)
    try:
        for adapter in adapters:
            adapter.validate_python(value)
        return adapters[-1].dump_python(adapters[-1].validate_python(value), mode="json")
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise InvalidInputError(
            f"The default {given} of {place} does not fit its type {code_field.type_name}: {reason}."
        ) from None
